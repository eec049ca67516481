package extract

import (
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// strikeOut puts the content of elements that a style strikes out into an element that
// says so.
func (w *walker) strikeOut() {
	for _, n := range w.struck {
		switch n.DataAtom {
		case atom.S, atom.Del, atom.Strike, atom.Body, atom.Html, atom.Table, atom.Tbody, atom.Tr, atom.Ul, atom.Ol, atom.Dl:
			continue
		}
		s := &html.Node{Type: html.ElementNode, Data: "s", DataAtom: atom.S}
		for n.FirstChild != nil {
			c := n.FirstChild
			n.RemoveChild(c)
			s.AppendChild(c)
		}
		n.AppendChild(s)
	}
}
