package isolate

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReadFrame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in, want string
		err, not       error
	}{
		{name: "whole", in: "\x00\x00\x00\x02hi and more", want: "hi"},
		{name: "empty", in: "\x00\x00\x00\x00", want: ""},
		{name: "nothing", in: "", err: io.EOF, not: errFrame},
		{name: "half a length", in: "\x00\x00", err: errFrame},
		{name: "half a body", in: "\x00\x00\x00\x05hi", err: io.ErrUnexpectedEOF},
		{name: "just too long", in: "\x00\x00\x00\x41" + strings.Repeat("x", 65), err: errFrame, not: io.ErrUnexpectedEOF},
		{name: "far too long", in: "\xff\xff\xff\xff", err: errFrame, not: io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := readFrame(strings.NewReader(c.in), 64)
			if string(got) != c.want || !errors.Is(err, c.err) || c.not != nil && errors.Is(err, c.not) {
				t.Errorf("readFrame(%q) = %q, %v, want %q, %v", c.in, got, err, c.want, c.err)
			}
		})
	}
}

// The input is what a child that was taken over can send to its parent.
func FuzzFrames(f *testing.F) {
	for _, s := range []string{`{"version":1,"sandbox":["seccomp"]}`, `{"seq":7,"err":"no"}`, `{"seq":8}`, `{"seq":7,"out":null}`, `{} {}`, "nonsense"} {
		f.Add(framed([]byte(s)))
	}
	whole, err := encodeMessage(reply{Seq: 7}, []byte(`{"text":"x"}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-2])
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		const limit = 1 << 16
		frame, err := readFrame(bytes.NewReader(raw), limit)
		if err == nil && !bytes.Equal(framed(frame), raw[:frameHead+len(frame)]) {
			t.Errorf("readFrame(%q) = %q", raw, frame)
		}
		if h, err := parseHello(frame); err == nil && h.Version != helloVersion {
			t.Errorf("parseHello(%q) = %+v", frame, h)
		}
		env, err := readReply(bytes.NewReader(raw), 7, limit)
		if err == nil && (env.out == nil) == (env.err == nil) {
			t.Errorf("readReply(%q) = %+v", raw, env)
		}
		if err != nil && !errors.Is(err, ErrOutput) && !errors.Is(err, errFrame) && !errors.Is(err, io.EOF) {
			t.Errorf("readReply(%q) = %v", raw, err)
		}
		if err == nil && env.err == nil {
			var out any
			if err := decode("fuzz", env, nil, &out); err != nil && !errors.Is(err, ErrOutput) {
				t.Errorf("decode(%q) = %v, want ErrOutput", env.out, err)
			}
		}
	})
}
