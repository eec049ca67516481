package extract

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// maxJSONString is the length of a string, in bytes, above which it is not text.
const maxJSONString = 256 << 10

// pictureFilter copies JSON without the values of keys that are media types of
// pictures and data, and without strings too long for a text. What it reads may be
// much larger than memory should hold.
type pictureFilter struct {
	in  *bufio.Reader
	out bytes.Buffer
}

func newByteReader(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, 64<<10) }

// run returns the copy, at most MaxInput bytes. JSON that ends in the middle is copied
// to its end.
func (f *pictureFilter) run() ([]byte, error) {
	for f.out.Len() < MaxInput {
		c, err := f.in.ReadByte()
		if err == nil && c == '"' {
			err = f.string()
		} else if err == nil {
			f.out.WriteByte(c)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return f.out.Bytes(), nil
}

// string copies a string whose first quotation mark was read, and drops the value
// behind it if it is the key of a picture.
func (f *pictureFilter) string() error {
	s, err := f.quoted()
	if len(s) > maxJSONString {
		s = nil
	}
	f.out.WriteByte('"')
	f.out.Write(s)
	f.out.WriteByte('"')
	if err != nil || !isPictureKey(string(s)) {
		return err
	}
	c, err := f.token()
	if err != nil {
		return err
	}
	f.out.WriteByte(c)
	if c != ':' {
		return nil // it was a value
	}
	f.out.WriteString(`""`)
	return f.skipValue()
}

// isPictureKey reports whether a key is the media type of something that is no text.
func isPictureKey(key string) bool {
	kind, _, ok := strings.Cut(key, "/")
	switch kind {
	case "image", "video", "audio", "application", "font":
		return ok
	}
	return false
}

// quoted reads to the quotation mark that ends a string, and returns what is before it
// as it is written: of one longer than maxJSONString the beginning, which is longer, too.
func (f *pictureFilter) quoted() ([]byte, error) {
	var s []byte
	for slashes := 0; ; { // backslashes at the end of what was read
		part, err := f.in.ReadSlice('"')
		body := bytes.TrimSuffix(part, []byte{'"'})
		n := len(body) - len(bytes.TrimRight(body, `\`))
		if n < len(body) {
			slashes = 0
		}
		slashes += n
		if len(s) <= maxJSONString {
			s = append(s, body...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil, slashes%2 == 0:
			return s, err
		case len(s) <= maxJSONString: // an escaped quotation mark
			s = append(s, '"')
			slashes = 0
		default:
			slashes = 0
		}
	}
}

// token reads the next byte that is no white space.
func (f *pictureFilter) token() (byte, error) {
	for {
		c, err := f.in.ReadByte()
		if err != nil || c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, err
		}
	}
}

// skipValue reads a value without copying it.
func (f *pictureFilter) skipValue() error {
	for depth := 0; ; {
		c, err := f.token()
		if err != nil {
			return err
		}
		switch c {
		case '"':
			if _, err := f.quoted(); err != nil {
				return err
			}
			if depth == 0 {
				return nil
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return nil
			}
			if depth < 0 { // the end of the object that the value is in
				return f.in.UnreadByte()
			}
		case ',':
			if depth == 0 {
				return f.in.UnreadByte()
			}
		}
	}
}
