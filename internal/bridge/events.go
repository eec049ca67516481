package bridge

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxAnswer is the longest message of a server that is passed on.
const maxAnswer = 32 << 20

var errLong = fmt.Errorf("the server sent a message of more than %d MB", maxAnswer>>20)

// readEvents calls each with the data of every event of a stream, until the stream ends or
// each returns false. It returns io.EOF at the end of the stream.
func readEvents(in io.Reader, each func(data []byte) bool) error {
	r := bufio.NewReaderSize(in, 16<<10)
	var data []byte
	named, any := "", false
	for {
		line, err := readField(r, maxAnswer-len(data))
		if err != nil {
			return err
		}
		if len(line) == 0 {
			if any && (named == "" || named == "message") && len(bytes.TrimSpace(data)) > 0 && !each(data) {
				return nil
			}
			data, named, any = nil, "", false
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "data":
			if any {
				data = append(data, '\n')
			}
			data, any = append(data, value...), true
		case "event":
			named = string(value)
		}
	}
}

// readField reads a line of at most limit bytes, without its end.
func readField(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > limit {
			return nil, errLong
		}
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
	}
}
