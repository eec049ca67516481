package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlItem is a table header or a key with its value, in whole lines.
type tomlItem struct {
	table      []string // the table that it begins, or is in
	key        []string // nil for a header
	start, end int      // bytes
}

// ours reports whether the item belongs to our server.
func (i tomlItem) ours(servers string) bool {
	return len(i.table) >= 2 && i.table[0] == servers && i.table[1] == ServerName
}

// dropped reports whether the item is one of these keys of our server, or in a table of
// that name.
func (i tomlItem) dropped(servers string, keys []string) bool {
	switch {
	case !i.ours(servers):
		return false
	case len(i.table) > 2:
		return slices.Contains(keys, i.table[2])
	}
	return i.key != nil && slices.Contains(keys, i.key[0])
}

// setTOML sets keys of our server's table, and removes those in drop; a new table is
// written behind all others. Comments and everything else stay.
func setTOML(config []byte, servers string, entry []member, drop []string) ([]byte, error) {
	body, isMarked := bytes.CutPrefix(config, []byte(byteOrderMark))
	out, err := setTables(body, servers, entry, drop)
	if err != nil {
		return nil, err
	}
	return marked(out, isMarked), nil
}

// setTables is setTOML without a byte order mark.
func setTables(config []byte, servers string, entry []member, drop []string) ([]byte, error) {
	items, err := parseTOML(config)
	if err != nil {
		return nil, err
	}
	var lines strings.Builder
	for _, m := range entry {
		value, err := tomlValue(m.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&lines, "%s = %s\n", m.key, value)
	}
	header := slices.IndexFunc(items, func(i tomlItem) bool { return i.key == nil && len(i.table) == 2 && i.ours(servers) })
	var out []byte
	if header < 0 {
		out = bytes.Clone(config)
		if len(bytes.TrimSpace(out)) > 0 {
			out = append(bytes.TrimRight(out, "\r\n"), "\n\n"...)
		}
		out = fmt.Appendf(out, "[%s.%s]\n%s", servers, ServerName, lines.String())
	} else {
		end := lineEnd(config, items[header].start)
		out = bytes.Clone(config[:end])
		if !bytes.HasSuffix(out, []byte("\n")) {
			out = append(out, '\n')
		}
		out = append(out, lines.String()...)
		at, inTable := end, true
		for _, i := range items[header+1:] {
			inTable = inTable && i.key != nil
			again := inTable && len(i.key) == 1 && slices.ContainsFunc(entry, func(m member) bool { return m.key == i.key[0] })
			if again || i.dropped(servers, drop) {
				out = append(out, config[at:i.start]...)
				at = i.end
			}
		}
		out = append(out, config[at:]...)
	}
	return finishTOML(config, out, servers, true)
}

// unsetTOML removes our server's tables.
func unsetTOML(config []byte, servers string) ([]byte, error) {
	body, isMarked := bytes.CutPrefix(config, []byte(byteOrderMark))
	out, err := unsetTables(body, servers)
	if err != nil {
		return nil, err
	}
	return marked(out, isMarked), nil
}

// unsetTables is unsetTOML without a byte order mark.
func unsetTables(config []byte, servers string) ([]byte, error) {
	items, err := parseTOML(config)
	if err != nil {
		return nil, err
	}
	var out []byte
	at := 0
	for _, i := range items {
		if i.ours(servers) {
			out = append(out, config[at:i.start]...)
			at = max(at, i.end)
		}
	}
	if at == 0 {
		return finishTOML(config, config, servers, false)
	}
	rest := config[at:]
	switch kept := bytes.TrimRight(out, "\r\n"); {
	case len(bytes.TrimSpace(rest)) == 0: // it was the last table
		rest = []byte("\n")
		out = kept
	case len(kept) < len(out) && (rest[0] == '\n' || rest[0] == '\r'):
		rest = slices.Concat([]byte("\n"), rest)
		out = kept
	}
	return finishTOML(config, append(out, rest...), servers, false)
}

// parseTOML returns the items of a configuration in their order.
func parseTOML(config []byte) ([]tomlItem, error) {
	if _, err := decodeTOML(config); err != nil {
		return nil, err
	}
	var p unstable.Parser
	p.Reset(config)
	var items []tomlItem
	var table []string
	for p.NextExpression() {
		node := p.Expression()
		if node.Kind != unstable.Table && node.Kind != unstable.ArrayTable && node.Kind != unstable.KeyValue {
			continue
		}
		item := tomlItem{start: -1}
		var keys []string
		for it := node.Key(); it.Next(); {
			if item.start < 0 {
				item.start = lineStart(config, int(it.Node().Raw.Offset))
			}
			keys = append(keys, string(it.Node().Data))
		}
		if node.Kind == unstable.KeyValue {
			item.key = keys
		} else {
			table = keys
		}
		item.table = table
		items = append(items, item)
	}
	if err := p.Error(); err != nil {
		return nil, err
	}
	for i := range items {
		next := len(config)
		if i+1 < len(items) {
			next = items[i+1].start
		}
		items[i].end = withoutComments(config, items[i].start, next)
	}
	return items, nil
}

// withoutComments is the end of the lines from start to end without the comments and
// empty lines behind them, which belong to what follows.
func withoutComments(config []byte, start, end int) int {
	for end > start {
		line := lineStart(config, end-1)
		words := bytes.TrimSpace(config[line:end])
		if line <= start || len(words) > 0 && words[0] != '#' {
			break
		}
		end = line
	}
	return end
}

func lineStart(b []byte, at int) int { return bytes.LastIndexByte(b[:at], '\n') + 1 }

func lineEnd(b []byte, at int) int {
	if i := bytes.IndexByte(b[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(b)
}

// tomlValue writes a string, a list of strings or a bool.
func tomlValue(v any) (string, error) {
	switch v := v.(type) {
	case string:
		if !strings.ContainsAny(v, "'\n\r\t") { // a literal string: no escapes in Windows paths
			return "'" + v + "'", nil
		}
	case []string:
		parts := make([]string, len(v))
		for i, s := range v {
			var err error
			if parts[i], err = tomlValue(s); err != nil {
				return "", err
			}
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	}
	out, err := json.Marshal(v) // strings and bools of JSON are those of TOML
	return string(out), err
}

// finishTOML makes sure that nothing but our server differs, and that it is there or not.
func finishTOML(before, after []byte, servers string, wanted bool) ([]byte, error) {
	after = withLineEnds(before, after)
	a, err := decodeTOML(before)
	if err != nil {
		return nil, err
	}
	b, err := decodeTOML(after)
	if err != nil {
		return nil, fmt.Errorf("our server is written in it in a way that cannot be edited: %w", errShape)
	}
	all, _ := b[servers].(map[string]any)
	if _, found := all[ServerName]; found != wanted {
		return nil, fmt.Errorf("our server is written in it in a way that cannot be edited: %w", errShape)
	}
	return after, onlyOurs(a, b, servers)
}

func decodeTOML(config []byte) (map[string]any, error) {
	out := map[string]any{}
	err := toml.Unmarshal(bytes.TrimPrefix(config, []byte(byteOrderMark)), &out)
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		line, column := wrong.Position()
		err = fmt.Errorf("the file is not TOML: line %d, column %d", line, column)
	}
	return out, err
}
