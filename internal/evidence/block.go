package evidence

// Kinds of blocks.
const (
	BlockHeading    = "heading"
	BlockParagraph  = "paragraph"
	BlockItem       = "item" // of a list, without the items nested in it
	BlockTable      = "table"
	BlockCode       = "code"
	BlockQuote      = "quote"
	BlockFormula    = "formula"
	BlockDefinition = "definition" // a term with what it means
)

// Block is a piece of a document's structure: Text[Start:End] is its Markdown,
// with its own markers (#, -, ```) and without those of the blocks around it.
type Block struct {
	Kind       string
	Level      int      // of a heading 1 to 6; depth of a list item from 1
	Number     int      // of an item of a numbered list; 0: it has a bullet
	Language   string   // of code, as it is declared
	Path       []string // the headings above, outermost first; of a heading without itself
	Start, End int      // byte offsets into the document's text
}
