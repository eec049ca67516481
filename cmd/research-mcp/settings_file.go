package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/research-mcp/research-mcp/internal/clients"
	"github.com/research-mcp/research-mcp/internal/evidence"
)

// writeSettings sets values in a settings file, and returns where the previous file is kept.
// Comments and other settings stay.
func writeSettings(file string, values map[string]string) (kept string, err error) {
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", evidence.BadInput(fmt.Sprintf("the settings file %s cannot be read: %v", file, err), "look at its permissions")
	}
	after, err := withSettings(before, values)
	if err != nil {
		return "", evidence.BadInput(fmt.Sprintf("the settings file %s cannot be edited and was not changed: %v", file, err), "repair it, or move it away")
	}
	kept, err = clients.Replace(file, after, time.Now())
	if err != nil {
		return "", evidence.BadInput(fmt.Sprintf("the settings file %s cannot be written: %v", file, err), "look at the permissions of its folder")
	}
	return kept, nil
}

// withSettings returns a settings file with values, by their keys. Its byte order mark and
// line ends of Windows, which yaml does not write, stay.
func withSettings(file []byte, values map[string]string) ([]byte, error) {
	body, isMarked := bytes.CutPrefix(file, []byte("\ufeff"))
	ends := bytes.Count(body, []byte("\r\n"))
	isWindows := ends > 0 && ends == bytes.Count(body, []byte("\n"))
	if isWindows {
		body = bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	}
	out, err := withPlainSettings(body, values)
	if err != nil {
		return nil, err
	}
	if isWindows {
		out = bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n"))
	}
	if isMarked {
		out = append([]byte("\ufeff"), out...)
	}
	return out, nil
}

// withPlainSettings is withSettings for a file with neither.
func withPlainSettings(file []byte, values map[string]string) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(file, &doc); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if doc.Kind == 0 { // empty, or comments alone, which yaml does not give back
		if comments := bytes.TrimSpace(file); len(comments) > 0 {
			out.Write(append(bytes.Clone(comments), '\n'))
		}
		doc = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	}
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if err := setNode(doc.Content[0], strings.Split(key, "."), values[key]); err != nil {
			return nil, err
		}
	}
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(&doc), enc.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// setNode sets the value at a path of keys.
func setNode(n *yaml.Node, path []string, value string) error {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" { // "sources:" with nothing below
		*n = yaml.Node{Kind: yaml.MappingNode, HeadComment: n.HeadComment, LineComment: n.LineComment, FootComment: n.FootComment}
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d is not a list of settings", n.Line)
	}
	var child *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == path[0] {
			child = n.Content[i+1]
		}
	}
	if child == nil {
		child = &yaml.Node{Kind: yaml.MappingNode}
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: path[0]}, child)
	}
	if len(path) > 1 {
		return setNode(child, path[1:], value)
	}
	comment := child.LineComment
	child.SetString(value)
	if value == "true" || value == "false" {
		child.Tag = "!!bool"
	}
	child.LineComment, child.Content = comment, nil
	return nil
}
