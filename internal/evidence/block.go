package evidence

// BlockKind is the kind of a block of text.
type BlockKind string

// The kinds of blocks.
const (
	BlockHeading    BlockKind = "heading"
	BlockParagraph  BlockKind = "paragraph"
	BlockItem       BlockKind = "item" // of a list, without the lists nested in it
	BlockTable      BlockKind = "table"
	BlockCode       BlockKind = "code" // with its fences
	BlockQuote      BlockKind = "quote"
	BlockFormula    BlockKind = "formula"
	BlockDefinition BlockKind = "definition" // a term and what it means
	BlockCaption    BlockKind = "caption"    // of the table that follows, or of a figure
)

// Block is a part of a document's text: Text[Start:End], without white space at
// its ends. The blocks of a text ascend, do not overlap, and hold all of it but
// white space.
type Block struct {
	Kind       BlockKind `json:"kind"`
	Start      int       `json:"start"` // byte offsets
	End        int       `json:"end"`
	Level      int       `json:"level,omitempty"`    // of a heading, from 1; depth of an item or quotation, from 1
	Number     string    `json:"number,omitempty"`   // of an item, as written: "3", "c", "iv"
	Language   string    `json:"language,omitempty"` // of code
	HeaderRows int       `json:"header,omitempty"`   // of a table: lines of its header with the rule, 0 if the header is empty
	Heading    []string  `json:"heading,omitempty"`  // the headings above it, outermost first; of a heading with itself
}
