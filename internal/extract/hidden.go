package extract

import "golang.org/x/net/html"

// HiddenBy reports whether an element's own attributes, its inline style among
// them, keep what is inside it from being read.
func HiddenBy(attrs []html.Attribute) bool {
	return hiddenByAttribute(attrs) || declarations(attribute(attrs, "style")).hide()
}
