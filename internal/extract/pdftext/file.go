package pdftext

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Bounds of a file.
const (
	maxStream    = 16 << 20  // bytes of one stream, uncompressed; more is not text
	maxObjects   = 1_000_000 // that a file announces
	maxDepth     = 60        // of arrays, dictionaries and the page tree
	maxTreeNodes = 200_000   // of the page tree
)

// file is an open PDF.
type file struct {
	ctx   context.Context //nolint:containedctx // a file's life is one call of Read
	table *model.Context
	fonts map[types.IndirectRef]*font
}

func open(ctx context.Context, raw []byte) (*file, error) {
	file, err := openIndirect(ctx, raw)
	if errors.Is(err, errDirectEncryption) {
		again, ok := withIndirectEncryption(raw)
		if !ok {
			return nil, ErrEncrypted
		}
		return openIndirect(ctx, again)
	}
	return file, err
}

// errDirectEncryption is that of a file whose encryption dictionary pdfcpu does not see.
var errDirectEncryption = fmt.Errorf("%w by a dictionary in its trailer", ErrEncrypted)

// openIndirect opens a file whose encryption dictionary, if there is one, is an object.
func openIndirect(ctx context.Context, raw []byte) (*file, error) {
	conf := &model.Configuration{ // not NewDefaultConfiguration, which writes to the user's folder
		Reader15: true, ValidationMode: model.ValidationRelaxed, Cmd: model.EXTRACTCONTENT, Offline: true,
		UnsupportedResourcePolicy: model.UnsupportedResourceSkip,
		Limits: model.ResourceLimits{
			MaxStreamBytes: int64(len(raw)), MaxDecodeBytes: maxStream, MaxImagePixels: 1, MaxImageBytes: 1, MaxObjectCount: maxObjects,
			MaxObjectStreamCount: maxObjects, MaxObjectStreamFirst: maxStream, MaxXRefEntries: maxObjects, MaxRecursionDepth: maxDepth,
		},
	}
	table, err := pdfcpu.ReadWithContext(ctx, bytes.NewReader(raw), conf)
	switch {
	case err == nil && table.Encrypt == nil && directEncryption().Match(raw):
		return nil, errDirectEncryption
	case err == nil:
		return &file{ctx: ctx, table: table, fonts: map[types.IndirectRef]*font{}}, nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return nil, errors.New("reading it takes too long")
	case isEncryption(err):
		return nil, fmt.Errorf("%w: %w", ErrEncrypted, err)
	}
	return nil, err
}

// isEncryption reports whether a password or an unknown encryption is in the way.
// Most of these errors have no exported value.
func isEncryption(err error) bool {
	s := strings.ToLower(err.Error())
	return errors.Is(err, pdfcpu.ErrWrongPassword) || strings.Contains(s, "encrypt") || strings.Contains(s, "password")
}

func (f *file) title() string {
	info := f.table.Info
	if info == nil {
		return ""
	}
	s, _ := f.table.DereferenceText(f.dict(*info)["Title"])
	return s
}

// object returns what o refers to, nil if nothing.
func (f *file) object(o types.Object) types.Object {
	for range maxDepth {
		ref, ok := o.(types.IndirectRef)
		if !ok {
			break
		}
		next, err := f.table.Dereference(ref)
		if err != nil {
			return nil
		}
		o = next
	}
	return o
}

// dict returns the dictionary that o is, or that its stream has; nil if none.
func (f *file) dict(o types.Object) types.Dict {
	switch v := f.object(o).(type) {
	case types.Dict:
		return v
	case types.StreamDict:
		return v.Dict
	}
	return nil
}

func (f *file) array(o types.Object) types.Array {
	a, _ := f.object(o).(types.Array)
	return a
}

func (f *file) name(o types.Object) string {
	n, _ := f.object(o).(types.Name)
	return n.Value()
}

func (f *file) number(o types.Object) (n float64, ok bool) {
	switch v := f.object(o).(type) {
	case types.Integer:
		return float64(v), true
	case types.Float:
		return float64(v), true
	}
	return 0, false
}

// numbers returns the n numbers of an array, nil if it is none of them.
func (f *file) numbers(o types.Object, n int) []float64 {
	a := f.array(o)
	if len(a) != n {
		return nil
	}
	out := make([]float64, n)
	for i := range a {
		v, ok := f.number(a[i])
		if !ok {
			return nil
		}
		out[i] = v
	}
	return out
}

// stream returns the uncompressed bytes of a stream; damaged is set if there are
// none, or only its beginning.
func (f *file) stream(o types.Object) (content []byte, damaged bool) {
	s, ok := f.object(o).(types.StreamDict)
	if !ok {
		return nil, true
	}
	if err := s.DecodeWithLimit(maxStream); err != nil {
		return nil, true
	}
	return s.Content, false
}

// pageDict is a page with the values that it inherits.
type pageDict struct {
	dict      types.Dict
	resources types.Dict
	box       []float64 // x0, y0, x1, y1 of what is shown; nil if unknown
}

// eachPage calls use for each page in order until it returns false.
func (f *file) eachPage(use func(pageDict) bool) error {
	root, err := f.table.Catalog()
	if err != nil {
		return err
	}
	w := pageWalk{file: f, use: use, seen: map[types.IndirectRef]bool{}}
	return w.node(root["Pages"], pageDict{}, 0)
}

// errDone ends a walk that the caller ends.
var errDone = errors.New("done")

type pageWalk struct {
	file  *file
	use   func(pageDict) bool
	seen  map[types.IndirectRef]bool
	nodes int
}

func (w *pageWalk) node(o types.Object, above pageDict, depth int) error {
	if ref, ok := o.(types.IndirectRef); ok {
		if w.seen[ref] {
			return errors.New("the page tree contains itself")
		}
		w.seen[ref] = true
	}
	if w.nodes++; depth > maxDepth || w.nodes > maxTreeNodes {
		return errors.New("the page tree is too large")
	}
	if w.file.ctx.Err() != nil {
		return w.file.ctx.Err()
	}
	p := pageDict{dict: w.file.dict(o), resources: above.resources, box: above.box}
	if r := w.file.dict(p.dict["Resources"]); r != nil {
		p.resources = r
	}
	for _, key := range []string{"MediaBox", "CropBox"} {
		if box := w.file.numbers(p.dict[key], 4); box != nil {
			p.box = box
		}
	}
	kids := w.file.array(p.dict["Kids"])
	if p.dict == nil || kids == nil && w.file.name(p.dict["Type"]) == "Pages" {
		return nil
	}
	if kids == nil {
		if !w.use(p) {
			return errDone
		}
		return nil
	}
	var failed error
	for _, kid := range kids { // a damaged branch does not hide the others
		err := w.node(kid, p, depth+1)
		if errors.Is(err, errDone) || w.nodes > maxTreeNodes {
			return err
		}
		failed = errors.Join(failed, err)
	}
	return failed
}
