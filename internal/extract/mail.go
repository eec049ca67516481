package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"strings"

	"github.com/emersion/go-message"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract/decode"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of an e-mail, whose parts may be within each other without end.
const (
	maxMailParts  = 200
	maxMailDepth  = 12
	maxMailHeader = 256 << 10 // bytes of the header of a message or a part
	maxMailField  = 500       // bytes of a field that is shown, such as the recipients
)

// mailReader reads the parts of one e-mail.
type mailReader struct {
	ctx         context.Context //nolint:containedctx // of one call of fromMail
	parts       int
	level       int // of messages within each other, from 1
	attachments []string
	warnings    []string
}

// fromMail reads an e-mail (RFC 5322, MIME) as Markdown: the subject as a heading, the
// sender, recipients and date as a list, the text, forwarded messages, and the names of
// the attachments. Of the forms of a text the plain one is read.
func fromMail(ctx context.Context, raw []byte) (Page, error) {
	m := &mailReader{ctx: ctx}
	entity, err := m.open(raw)
	if err != nil {
		return Page{}, err
	}
	body := m.message(entity, 1)
	if err := ctx.Err(); err != nil {
		return Page{}, err
	}
	page := Page{Title: m.field(entity, "Subject"), Text: strings.TrimSpace(visible(body)), Warnings: m.warnings}
	if at, err := mail.ParseDate(entity.Header.Get("Date")); err == nil {
		page.Published = at.UTC()
	}
	return page, nil
}

// open reads the header of a message. Lines that are no fields are left out.
func (m *mailReader) open(raw []byte) (*message.Entity, error) {
	raw = bytes.TrimLeft(bytes.TrimPrefix(raw, []byte("\uFEFF")), "\r\n")
	head, body := cutHeader(raw)
	fields := fieldsOf(head)
	entity, err := message.ReadWithOptions(io.MultiReader(bytes.NewReader(fields), strings.NewReader("\r\n"), bytes.NewReader(body)),
		&message.ReadOptions{MaxHeaderBytes: maxMailHeader})
	if entity == nil {
		return nil, &evidence.Problem{What: "the e-mail cannot be read: " + printableReason(err), Try: "save it again as .eml, or pass its text"}
	}
	for _, name := range []string{"From", "To", "Subject", "Date", "Message-Id", "Received", "Mime-Version", "Content-Type"} {
		if entity.Header.Has(name) {
			return entity, nil
		}
	}
	return nil, &evidence.Problem{What: "the file has no header of an e-mail, such as From or Subject", Try: "save the e-mail again as .eml, or name the file .txt if it is text"}
}

var emptyLine = text.Pattern(`\r?\n\r?\n`)

// cutHeader cuts a message at its first empty line.
func cutHeader(raw []byte) (head, body []byte) {
	at := emptyLine().FindIndex(raw)
	if at == nil {
		return raw, nil
	}
	return raw[:at[0]], raw[at[1]:]
}

var fieldStart = text.Pattern(`^[!-9;-~]+[ \t]*:`)

// fieldsOf is the lines of a header that are fields, or go on with one.
func fieldsOf(head []byte) []byte {
	var out bytes.Buffer
	kept := false
	for line := range bytes.Lines(head) {
		if len(line) > 0 && line[0] != ' ' && line[0] != '\t' {
			kept = fieldStart().Match(line)
		}
		if kept {
			out.Write(bytes.TrimRight(line, "\r\n"))
			out.WriteString("\r\n")
		}
	}
	return out.Bytes()
}

// message is a message with its header as Markdown. depth is that of its part.
func (m *mailReader) message(e *message.Entity, depth int) string {
	m.level++
	defer func() { m.level-- }()
	var out []string
	if subject := m.field(e, "Subject"); subject != "" {
		out = append(out, strings.Repeat("#", min(m.level, 6))+" "+subject)
	}
	var about []string
	for _, name := range []string{"From", "To", "Cc", "Date"} {
		if value := m.field(e, name); value != "" {
			about = append(about, "- "+name+": "+value)
		}
	}
	out = append(out, strings.Join(about, "\n"))
	before := len(m.attachments)
	if body := strings.TrimSpace(m.part(e, depth)); body != "" {
		out = append(out, body)
	}
	if names := m.attachments[before:]; len(names) > 0 {
		out = append(out, "Attachments: "+strings.Join(names, ", "))
		m.attachments = m.attachments[:before]
	}
	return strings.Join(out, "\n\n")
}

// field is the decoded value of a header field, on one line.
func (m *mailReader) field(e *message.Entity, name string) string {
	value := decode.Bytes([]byte(e.Header.Get(name)), decode.Hints{}).Text
	words := mime.WordDecoder{CharsetReader: func(charset string, in io.Reader) (io.Reader, error) {
		raw, err := io.ReadAll(in)
		return strings.NewReader(decode.Bytes(raw, decode.Hints{ContentType: "charset=" + charset}).Text), err
	}}
	if decoded, err := words.DecodeHeader(value); err == nil {
		value = decoded
	}
	value, _ = text.Cut(text.Squash(visible(value)), maxMailField)
	return value
}

// part is the text of an entity, or "" for one that is no text.
func (m *mailReader) part(e *message.Entity, depth int) string {
	if m.parts++; m.parts > maxMailParts || m.ctx.Err() != nil {
		m.warn(fmt.Sprintf("the e-mail has more than %d parts: the others were left out", maxMailParts))
		return ""
	}
	if depth > maxMailDepth {
		m.warn(fmt.Sprintf("the e-mail has messages or parts within each other, deeper than %d: they were left out", maxMailDepth))
		return ""
	}
	kind, parameters, err := e.Header.ContentType()
	if err != nil || kind == "" {
		kind = "text/plain"
	}
	disposition, _, _ := e.Header.ContentDisposition()
	switch {
	case strings.HasPrefix(kind, "multipart/") && parameters["boundary"] != "":
		return m.multipart(e, kind, depth)
	case kind == "message/rfc822" || kind == "message/global":
		inner, err := m.open(m.body(e))
		if err != nil {
			m.warn("a message within the e-mail cannot be read")
			return ""
		}
		return m.message(inner, depth+1)
	case disposition == "attachment" || !isMailText(kind):
		m.attach(e, kind)
		return ""
	}
	return m.text(m.body(e), kind, parameters)
}

// isMailText reports whether a part of a media type is text that a reader is shown.
func isMailText(kind string) bool {
	switch kind {
	case "text/plain", "text/html", "text/enriched", "text/markdown", "multipart/mixed", "message/delivery-status":
		return true
	}
	return strings.HasPrefix(kind, "multipart/") // without a boundary: its text is all there is
}

// multipart is the text of the parts of an entity: all of them, or of alternatives the
// first plain text, else the last that has a text.
func (m *mailReader) multipart(e *message.Entity, kind string, depth int) string {
	var all []string
	plain, last := "", ""
	for parts := e.MultipartReader(); ; {
		p, err := parts.NextPart()
		if p == nil {
			if !errors.Is(err, io.EOF) {
				m.warn("the e-mail ends in the middle, or is damaged: what could be read of it is here")
			}
			break
		}
		if m.parts > maxMailParts {
			break
		}
		own, _, _ := p.Header.ContentType()
		s := strings.TrimSpace(m.part(p, depth+1))
		if s == "" {
			continue
		}
		all, last = append(all, s), s
		if plain == "" && (own == "" || own == "text/plain") && text.HasVisible(s) {
			plain = s
		}
	}
	switch {
	case kind != "multipart/alternative":
		return strings.Join(all, "\n\n")
	case plain != "":
		return plain
	}
	return last
}

// body reads the decoded content of an entity, at most MaxInput bytes. What is
// damaged is read up to the damage.
func (m *mailReader) body(e *message.Entity) []byte {
	raw, err := io.ReadAll(io.LimitReader(e.Body, MaxInput))
	if err != nil {
		m.warn("the e-mail ends in the middle, or is damaged: what could be read of it is here")
	}
	return raw
}

// text decodes a text and converts it to Markdown.
func (m *mailReader) text(raw []byte, kind string, parameters map[string]string) string {
	h := decode.Hints{Markup: kind == "text/html"}
	if label := parameters["charset"]; label != "" && !strings.EqualFold(label, "us-ascii") {
		h.ContentType = "charset=" + label
	}
	decoded := decode.Bytes(raw, h)
	for _, w := range decoded.Warnings() {
		m.warn(w)
	}
	if kind == "text/html" {
		return wholeHTML(m.ctx, decoded.Text)
	}
	body := visible(decoded.Text)
	if strings.EqualFold(parameters["format"], "flowed") {
		body = unflowed(body, strings.EqualFold(parameters["delsp"], "yes"))
	}
	// Behind a line of text, the mark of a signature would make a heading of it.
	return strings.ReplaceAll(body, "\n-- \n", "\n\n--\n")
}

// unflowed joins the lines of a text of RFC 3676: one that ends in a space goes on.
func unflowed(body string, dropSpace bool) string {
	var out strings.Builder
	for line := range strings.Lines(body) {
		content := strings.TrimSuffix(line, "\n")
		if strings.HasSuffix(content, " ") && content != "-- " && !strings.HasPrefix(content, ">") {
			if dropSpace {
				content = strings.TrimSuffix(content, " ")
			}
			out.WriteString(content)
			continue
		}
		out.WriteString(line)
	}
	return out.String()
}

// attach notes the name of a part that is not read. Signatures are none.
func (m *mailReader) attach(e *message.Entity, kind string) {
	switch kind {
	case "application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-encrypted":
		return
	}
	_, parameters, _ := e.Header.ContentDisposition()
	_, own, _ := e.Header.ContentType()
	name := parameters["filename"]
	if name == "" {
		name = own["name"]
	}
	name, _ = text.Cut(text.Squash(visible(decode.Bytes([]byte(name), decode.Hints{}).Text)), maxTitle)
	if name == "" {
		name = "without a name"
	}
	m.attachments = append(m.attachments, name+" ("+printable(kind)+")")
}

// warn adds a warning once.
func (m *mailReader) warn(w string) {
	for _, have := range m.warnings {
		if have == w {
			return
		}
	}
	m.warnings = append(m.warnings, w)
}
