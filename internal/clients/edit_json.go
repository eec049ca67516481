package clients

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/tailscale/hujson"
)

// errShape reports that a configuration is valid, and not of the expected form.
var errShape = errors.New("this program does not know its form")

const byteOrderMark = "\ufeff"

// setJSON sets members of the server in the object called servers, and removes those in
// drop. Comments, order and layout of everything else stay, and so do other members of the
// server.
func setJSON(config []byte, servers string, entry []member, drop []string) ([]byte, error) {
	body, isMarked := bytes.CutPrefix(config, []byte(byteOrderMark))
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}\n")
	}
	root, err := parseJSON(body, servers)
	if err != nil {
		return nil, err
	}
	unit := indentOf(&root)
	if root.Find("/"+servers) == nil {
		if err := addMember(&root, "", servers, json.RawMessage("{}"), unit, 1); err != nil {
			return nil, err
		}
	}
	at := "/" + servers
	if root.Find(at+"/"+ServerName) == nil {
		if err := addMember(&root, at, ServerName, json.RawMessage("{}"), unit, 2); err != nil {
			return nil, err
		}
	}
	at += "/" + ServerName
	if _, ok := root.Find(at).Value.(*hujson.Object); !ok {
		return nil, fmt.Errorf("%q in it is not an object: %w", ServerName, errShape)
	}
	for _, key := range drop {
		if err := removeMember(&root, at, key); err != nil {
			return nil, err
		}
	}
	for _, m := range entry {
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		if same(root.Find(at+"/"+m.key), value) {
			continue
		}
		if err := addMember(&root, at, m.key, value, unit, 3); err != nil {
			return nil, err
		}
	}
	return finishJSON(config, root.Pack(), isMarked, servers)
}

// unsetJSON removes the server from the object called servers.
func unsetJSON(config []byte, servers string) ([]byte, error) {
	body, isMarked := bytes.CutPrefix(config, []byte(byteOrderMark))
	if len(bytes.TrimSpace(body)) == 0 {
		return config, nil
	}
	root, err := parseJSON(body, servers)
	if err != nil {
		return nil, err
	}
	if root.Find("/"+servers+"/"+ServerName) == nil {
		return config, nil
	}
	if err := removeMember(&root, "/"+servers, ServerName); err != nil {
		return nil, err
	}
	return finishJSON(config, root.Pack(), isMarked, servers)
}

// removeMember removes a member of the object at a JSON pointer, if it is there. The end of
// the object stays on its line.
func removeMember(root *hujson.Value, at, key string) error {
	if root.Find(at+"/"+key) == nil {
		return nil
	}
	object := root.Find(at).Value.(*hujson.Object)
	end := object.AfterExtra
	if err := root.Patch(fmt.Appendf(nil, `[{"op":"remove","path":%q}]`, at+"/"+key)); err != nil {
		return err
	}
	if i := bytes.LastIndexByte(end, '\n'); i >= 0 && bytes.ContainsRune(object.AfterExtra, '\n') {
		object.AfterExtra = onNewLine(object.AfterExtra, string(end[i+1:]))
	}
	return nil
}

// parseJSON parses a configuration whose servers, if it has them, are an object.
func parseJSON(body []byte, servers string) (hujson.Value, error) {
	root, err := hujson.Parse(body)
	if err != nil {
		return root, notJSON(err)
	}
	if _, ok := root.Value.(*hujson.Object); !ok {
		return root, fmt.Errorf("it is not an object: %w", errShape)
	}
	if key := twice(&root); key != "" {
		return root, fmt.Errorf("an object in it has %q twice: %w", key, errShape)
	}
	if found := root.Find("/" + servers); found != nil {
		if _, ok := found.Value.(*hujson.Object); !ok {
			return root, fmt.Errorf("%q in it is not an object: %w", servers, errShape)
		}
	}
	return root, nil
}

// twice returns a key that an object has more than once, or "". Readers differ in which one
// counts.
func twice(root *hujson.Value) (key string) {
	for v := range root.All() {
		object, ok := v.Value.(*hujson.Object)
		if !ok {
			continue
		}
		seen := map[string]bool{}
		for _, m := range object.Members {
			name, ok := m.Name.Value.(hujson.Literal)
			if !ok {
				continue
			}
			if seen[name.String()] {
				return name.String()
			}
			seen[name.String()] = true
		}
	}
	return ""
}

// addMember sets a member of the object at a JSON pointer. A new one gets a line of its
// own, at the given depth of indentation; an old one keeps its place and comments.
func addMember(root *hujson.Value, at, key string, value json.RawMessage, unit string, depth int) error {
	isNew := root.Find(at+"/"+key) == nil
	if err := root.Patch(fmt.Appendf(nil, `[{"op":"add","path":%q,"value":%s}]`, at+"/"+key, value)); err != nil {
		return err
	}
	if !isNew {
		return nil
	}
	parent := root
	if at != "" {
		parent = root.Find(at)
	}
	object := parent.Value.(*hujson.Object)
	last := &object.Members[len(object.Members)-1]
	last.Name.BeforeExtra = onNewLine(last.Name.BeforeExtra, strings.Repeat(unit, depth))
	last.Value.BeforeExtra = hujson.Extra(" ")
	if !bytes.ContainsRune(object.AfterExtra, '\n') {
		object.AfterExtra = onNewLine(object.AfterExtra, strings.Repeat(unit, depth-1))
	}
	return nil
}

// onNewLine is an extra that ends with a new line and its indentation.
func onNewLine(e hujson.Extra, indent string) hujson.Extra {
	e = bytes.TrimRight(e, " \t")
	if !bytes.HasSuffix(e, []byte("\n")) {
		e = append(e[:len(e):len(e)], '\n')
	}
	return append(e[:len(e):len(e)], indent...)
}

// indentOf is one step of indentation in a file: that of the first member.
func indentOf(root *hujson.Value) string {
	object, ok := root.Value.(*hujson.Object)
	if !ok || len(object.Members) == 0 {
		return "  "
	}
	before := object.Members[0].Name.BeforeExtra
	i := bytes.LastIndexByte(before, '\n')
	if unit := string(before[i+1:]); i >= 0 && unit != "" && strings.Trim(unit, " \t") == "" {
		return unit
	}
	return "  "
}

// same reports whether a value is there and equal.
func same(have *hujson.Value, want []byte) bool {
	if have == nil {
		return false
	}
	plain := have.Clone()
	plain.Standardize()
	var a, b any
	return json.Unmarshal(plain.Pack(), &a) == nil && json.Unmarshal(want, &b) == nil && reflect.DeepEqual(a, b)
}

// finishJSON gives a changed configuration the line ends and the mark that it had, and
// makes sure that nothing but our server differs.
func finishJSON(before, after []byte, isMarked bool, servers string) ([]byte, error) {
	after = marked(withLineEnds(before, after), isMarked)
	a, err := decodeJSON(before)
	if err != nil {
		return nil, err
	}
	b, err := decodeJSON(after)
	if err != nil {
		return nil, err
	}
	return after, onlyOurs(a, b, servers)
}

// marked gives a configuration the byte order mark that it had.
func marked(config []byte, isMarked bool) []byte {
	if !isMarked {
		return config
	}
	return append([]byte(byteOrderMark), config...)
}

// withLineEnds gives the lines of after the ends of Windows, if all lines of before have
// them.
func withLineEnds(before, after []byte) []byte {
	if n := bytes.Count(before, []byte("\r\n")); n == 0 || n != bytes.Count(before, []byte("\n")) {
		return after
	}
	return bytes.ReplaceAll(bytes.ReplaceAll(after, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
}

// decodeJSON decodes a configuration.
func decodeJSON(config []byte) (map[string]any, error) {
	out := map[string]any{}
	body := bytes.TrimPrefix(config, []byte(byteOrderMark))
	if len(bytes.TrimSpace(body)) == 0 {
		return out, nil
	}
	plain, err := hujson.Standardize(bytes.Clone(body))
	if err != nil {
		return nil, notJSON(err)
	}
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.UseNumber() // a number may be larger than Go's are, and is compared to its last digit
	if dec.Decode(&out) != nil {
		return nil, fmt.Errorf("it is not an object: %w", errShape)
	}
	return out, nil
}

// notJSON names the place of an error of hujson, whose text has it.
func notJSON(err error) error {
	return fmt.Errorf("the file is not JSON: %s", cmp.Or(errorPlace.FindString(err.Error()), "its form is wrong"))
}

var errorPlace = regexp.MustCompile(`line \d+, column \d+`)

// onlyOurs returns an error if two configurations differ in more than our server.
func onlyOurs(before, after map[string]any, servers string) error {
	for _, config := range []map[string]any{before, after} {
		if all, ok := config[servers].(map[string]any); ok {
			delete(all, ServerName)
			if len(all) == 0 {
				delete(config, servers)
			}
		}
	}
	if !reflect.DeepEqual(before, after) {
		return fmt.Errorf("something else in it would have changed: %w", errShape)
	}
	return nil
}
