package extract

import (
	"path"
	"strings"
)

// Types of files that are read whole, as their tables of contents are at the end. Where
// the reader has PDF and documents turned off, they are files without text.
const (
	TypePDF      = "application/pdf"
	TypeDocument = "application/octet-stream" // known by its first bytes
)

// fileTypes are the media types of the files of a folder that are read, by extension.
var fileTypes = map[string]string{
	".md": "text/markdown", ".markdown": "text/markdown", ".txt": "text/plain", ".text": "text/plain", ".rst": "text/plain",
	".rest": "text/plain", ".mdx": "text/markdown",
	".org": "text/plain", ".adoc": "text/plain", ".asciidoc": "text/plain", ".html": "text/html", ".htm": "text/html", ".xhtml": "text/html",
	".ipynb": TypeNotebook, ".eml": TypeMail,
	".pdf": TypePDF, ".docx": TypeDocument, ".pptx": TypeDocument, ".xlsx": TypeDocument, ".odt": TypeDocument, ".ods": TypeDocument,
	".odp": TypeDocument, ".epub": TypeDocument, ".mht": TypeDocument, ".mhtml": TypeDocument,
}

// TypeOfFile returns the media type of a file in a folder by its name, and nothing for one
// that is not read.
func TypeOfFile(name string) string { return fileTypes[strings.ToLower(path.Ext(name))] }
