package fetch

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/redact"
)

// The parts of HAR 1.2 that browsers' developer tools need. Fields that begin
// with an underscore are our own, as the format allows.
type (
	harFile struct {
		Log harLog `json:"log"`
	}
	harLog struct {
		Version string     `json:"version"`
		Creator harName    `json:"creator"`
		Pages   []struct{} `json:"pages"`
		Entries []harEntry `json:"entries"`

		Note json.RawMessage `json:"_note,omitempty"` // of the program that made the recording
	}
	harName struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	harEntry struct {
		Started  string      `json:"startedDateTime"`
		Time     float64     `json:"time"` // milliseconds
		Request  harRequest  `json:"request"`
		Response harResponse `json:"response"`
		Cache    struct{}    `json:"cache"`
		Timings  harTimings  `json:"timings"`

		Level    string     `json:"_level"`              // levelGet or levelTransport
		Track    string     `json:"_track,omitempty"`    // see WithTrack
		BodyHash string     `json:"_bodySha256"`         // of the request
		FinalURL string     `json:"_finalURL,omitempty"` // after redirects, if there were any
		Answer   *harAnswer `json:"_answer,omitempty"`
		Error    *harError  `json:"_error,omitempty"`
	}
	harRequest struct {
		Method      string       `json:"method"`
		URL         string       `json:"url"`
		HTTPVersion string       `json:"httpVersion"`
		Cookies     []struct{}   `json:"cookies"`
		Headers     []harPair    `json:"headers"`
		Query       []harPair    `json:"queryString"`
		Post        *harPostData `json:"postData,omitempty"`
		HeadersSize int          `json:"headersSize"`
		BodySize    int          `json:"bodySize"`
	}
	harPostData struct {
		MimeType string    `json:"mimeType"`
		Params   []harPair `json:"params"`
		Text     string    `json:"text"`
	}
	harResponse struct {
		Status      int        `json:"status"` // 0: the request failed, see _error
		StatusText  string     `json:"statusText"`
		HTTPVersion string     `json:"httpVersion"`
		Cookies     []struct{} `json:"cookies"`
		Headers     []harPair  `json:"headers"`
		Content     harContent `json:"content"`
		RedirectURL string     `json:"redirectURL"`
		HeadersSize int        `json:"headersSize"`
		BodySize    int        `json:"bodySize"`
	}
	harContent struct {
		Size     int    `json:"size"`
		MimeType string `json:"mimeType"`
		Text     string `json:"text"`
		Encoding string `json:"encoding,omitempty"`
	}
	harTimings struct {
		Send    float64 `json:"send"`
		Wait    float64 `json:"wait"`
		Receive float64 `json:"receive"`
	}
	harPair struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	// harAnswer is what a Response holds besides the body and the headers.
	harAnswer struct {
		Retrieved    time.Time     `json:"retrieved"`
		ContentType  string        `json:"contentType"`
		Charset      string        `json:"charset,omitempty"`
		ETag         string        `json:"etag,omitempty"`
		LastModified string        `json:"lastModified,omitempty"`
		RetryAfter   time.Duration `json:"retryAfterNS,omitempty"`
		Truncated    bool          `json:"truncated,omitempty"`
		Cached       bool          `json:"cached,omitempty"`
		Stale        bool          `json:"stale,omitempty"`
		Age          time.Duration `json:"ageNS,omitempty"`
	}
	harError struct {
		Kind       string        `json:"kind"`
		Text       string        `json:"text"` // as it was shown
		Host       string        `json:"host,omitempty"`
		Code       int           `json:"code,omitempty"`
		RetryAfter time.Duration `json:"retryAfterNS,omitempty"`
		Detail     string        `json:"detail,omitempty"`
	}
)

// Levels at which requests are recorded.
const (
	levelGet       = "get"       // a Client's Get, with its redirects, retries and cache
	levelTransport = "transport" // one exchange of another client
)

// Kinds of recorded failures that are not a Kind of an Error.
const (
	kindCanceled   = "canceled"   // the caller cancelled it
	kindDeadline   = "deadline"   // the caller's own deadline came
	kindUnfinished = "unfinished" // in progress when the recording was written
	kindRefused    = "refused"    // connection refused; transports only
	kindNetwork    = "network"    // no response for another reason; transports only
	kindOther      = "other"
)

// MaxRecording bounds a recording that is read, in bytes; that of a deep question
// is a hundredth of it.
const MaxRecording = 256 << 20

// ErrRecordingTooLarge is the error of a recording that could not be read again.
var ErrRecordingTooLarge = fmt.Errorf("the recording is larger than %d MB", MaxRecording>>20)

// readHAR parses a recording.
func readHAR(data []byte) (*harFile, error) {
	if len(data) > MaxRecording {
		return nil, ErrRecordingTooLarge
	}
	var f harFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("it is not HAR: %w", err)
	}
	if !strings.HasPrefix(f.Log.Version, "1.") {
		return nil, errors.New("it is not HAR: no version 1.x in its log")
	}
	return &f, nil
}

// setBody stores bytes as text if they are UTF-8, else as base64.
func (c *harContent) setBody(b []byte) {
	c.Size = len(b)
	if utf8.Valid(b) {
		c.Text, c.Encoding = string(b), ""
		return
	}
	c.Text, c.Encoding = base64.StdEncoding.EncodeToString(b), "base64"
}

func (c *harContent) body() ([]byte, error) {
	switch c.Encoding {
	case "":
		return []byte(c.Text), nil
	case "base64":
		b, err := base64.StdEncoding.DecodeString(c.Text)
		if err != nil {
			return nil, errors.New("a body that is not base64")
		}
		return b, nil
	}
	return nil, fmt.Errorf("a body with the encoding %.20q", c.Encoding)
}

// headerPairs returns a header's fields, redacted by their names, in order.
func headerPairs(h http.Header) []harPair {
	out := []harPair{}
	for name, values := range h {
		for _, v := range values {
			out = append(out, harPair{name, strings.ToValidUTF8(redact.Header(name, v), "\uFFFD")})
		}
	}
	slices.SortStableFunc(out, func(a, b harPair) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// queryPairs returns the parameters of a redacted query.
func queryPairs(rawQuery string) []harPair {
	out := []harPair{}
	for part := range strings.SplitSeq(rawQuery, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		out = append(out, harPair{unescaped(name), unescaped(value)})
	}
	return out
}
