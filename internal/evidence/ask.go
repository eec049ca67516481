package evidence

import "time"

// Query is what a source is asked.
type Query struct {
	Text     string // search keywords, never empty
	Question string // the question as the person asked it
	Limit    int    // most documents wanted, 1..50
	Language string // BCP 47 primary subtag, such as "en"
	FullText bool   // also fetch what the hits link to

	// Patience is how long the caller waits for a result; 0: not known. A source that
	// can answer in part does so before.
	Patience time.Duration
}

// RecallQuery is what the memory is asked. Zero filters do not filter.
type RecallQuery struct {
	Text   string    // the question, raw
	Vector []float32 // its embedding in Model's space; nil: BM25 only
	Model  Model
	// Lexical is the embedding in LexicalModel's space, beside a Vector of a trained
	// encoder: it finds misspelt words, and chunks that have no vector of Model yet.
	Lexical      []float32
	LexicalModel Model

	K       int // most hits wanted; the memory caps it at what it holds
	Mode    string
	Source  string
	Session string
	Tags    []string  // a hit has all of them
	Since   time.Time // retrieved at this moment or later
	Until   time.Time // retrieved at this moment or earlier
}

// Modes of recall.
const (
	ModeHybrid = "hybrid" // the default
	ModeBM25   = "bm25"
	ModeVector = "vector"
)

// States of the index that answered a recall.
const (
	IndexReady   = "ready"
	IndexWarming = "warming" // vectors were read from the truth while the index loads
	IndexLexical = "lexical" // BM25 alone
)

// Hit is a remembered chunk. Document carries everything but the text, unless
// the caller asked the memory for the document itself.
type Hit struct {
	Document Document
	Passage  Passage
	Vector   []float32 // of the chunk in RecallQuery.Model's space, nil when unknown
}

// RecallResult is ordered by Passage.Score, best first; Hits is never nil.
type RecallResult struct {
	Hits     []Hit
	Index    string // IndexReady, IndexWarming or IndexLexical
	Warnings []string
}

// Roles of a turn.
const (
	RoleUser      = "user"
	RoleAssistant = "assistant"
)

// Turn is one message of a session.
type Turn struct {
	Seq  int64 // given by the store, ascending within the session
	Role string
	Text string
	At   time.Time
	Run  *Answer  // kept beside the assistant's message; nil for a user's
	Used []string // ids of the documents that Run was made from, cited or not; stored, and not returned
}

// Session is a thread of questions that any client can go on with.
type Session struct {
	ID        string
	Title     string
	Summary   string // of the turns up to and including SummaryTo
	SummaryTo int64
	Turns     []Turn // those after SummaryTo, oldest first
	Messages  int    // all that were ever said
	Created   time.Time
	Updated   time.Time
}

// Source material for an answer, numbered as the model sees it: Evidence[i] is
// cited as [i+1].
type Evidence struct {
	Document Document
	Passage  Passage
}

// Brief is what a synthesizer writes from.
type Brief struct {
	Question  string
	Asked     string // as the person asked it, where Question was completed from the conversation; else empty
	More      bool   // it asks for what the last answer did not say
	Evidence  []Evidence
	Summary   string
	Turns     []Turn
	Language  string
	MaxTokens int // of the answer
	Now       time.Time
}

// Sentence of a draft. When a synthesizer quotes, Quotes holds exact spans.
type Sentence struct {
	Text   string // without marks
	Marks  []int  // 1-based indexes into Brief.Evidence
	Quotes []Span // parallel to Marks when the sentence is a verbatim quote, else nil
	Block  bool   // Text is Markdown of blocks: its line breaks count
	Code   bool   // Text is a part of a code block, without its fences
}

// Span is a byte range of a document's text.
type Span struct{ Start, End int }

// Draft is prose before it is verified.
type Draft struct {
	Sentences []Sentence
	Abstain   bool   // the writer found no answer in the evidence
	Why       string // the reason of an abstention, or of a draft that was cut short
	Partial   bool   // it was cut by a deadline or a limit

	// Confidence is the probability, 0 to 1, that the draft answers the question;
	// 0: the writer does not know.
	Confidence float64
}
