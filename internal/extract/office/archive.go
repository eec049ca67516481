package office

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Bounds of an archive.
const (
	maxEntries = 20_000
	maxPart    = 24 << 20 // bytes of one part, uncompressed
	maxParts   = 64 << 20 // of all that are read
	maxRatio   = 200      // of a part that is larger than freeRatio
	freeRatio  = 4 << 20
)

// archive is a zip file, of which parts are read within bounds.
type archive struct {
	ctx   context.Context //nolint:containedctx // an archive's life is one call of Read
	files map[string]*zip.File
	names []string // in the order of the table of contents
	left  int64
}

func openArchive(ctx context.Context, raw []byte) (*archive, error) {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, errors.New("the archive is damaged or cut off")
	}
	if len(z.File) > maxEntries {
		return nil, fmt.Errorf("the archive has %d entries, more than %d", len(z.File), maxEntries)
	}
	a := &archive{ctx: ctx, files: make(map[string]*zip.File, len(z.File)), left: maxParts}
	for _, f := range z.File {
		name := clean(f.Name)
		if a.files[name] == nil {
			a.files[name] = f
			a.names = append(a.names, name)
		}
	}
	return a, nil
}

// clean is a name as parts refer to each other by.
func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/")
}

func (a *archive) has(name string) bool { return a.files[name] != nil }

// read returns a part. A part that is not there is nil.
func (a *archive) read(name string) ([]byte, error) {
	if err := a.ctx.Err(); err != nil {
		return nil, err
	}
	f := a.files[clean(name)]
	if f == nil {
		return nil, nil
	}
	if f.Flags&1 != 0 {
		return nil, ErrEncrypted
	}
	limit := min(maxPart, a.left)
	if packed := int64(min(f.CompressedSize64, 1<<40)); packed*maxRatio < limit { //nolint:gosec // bounded
		limit = min(limit, max(freeRatio, packed*maxRatio))
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("the part %s of the archive is damaged", printable(name))
	}
	defer r.Close()
	out, err := io.ReadAll(io.LimitReader(r, limit+1))
	a.left -= int64(len(out))
	switch {
	case int64(len(out)) > limit:
		return nil, ErrBomb
	case err != nil:
		return nil, fmt.Errorf("the part %s of the archive is damaged", printable(name))
	}
	return out, nil
}

// printable is a name that is safe to show.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name[:min(len(name), 80)])
}

// tree reads a part as XML. A part that is not there is an empty tree.
func (a *archive) tree(name string) (*node, error) {
	raw, err := a.read(name)
	if err != nil || raw == nil {
		return &node{}, err
	}
	return parseXML(a.ctx, raw)
}

// relations are the targets of the relations of a part, by id.
func (a *archive) relations(part string) (byID map[string]string, byType map[string]string) {
	byID, byType = map[string]string{}, map[string]string{}
	dir, file := path.Split(part)
	n, err := a.tree(dir + "_rels/" + file + ".rels")
	if err != nil {
		return byID, byType
	}
	for _, r := range n.all("Relationship") {
		target := r.attr("Target")
		if r.attr("TargetMode") == "External" {
			continue
		}
		if !strings.HasPrefix(target, "/") {
			target = path.Join(dir, target)
		}
		byID[r.attr("Id")] = clean(target)
		kind := path.Base(r.attr("Type"))
		if byType[kind] == "" {
			byType[kind] = clean(target)
		}
	}
	return byID, byType
}

// mainPart is the document of an Office file: the target of the package's relation, or
// its usual name.
func (a *archive) mainPart(usual string) string {
	if _, byType := a.relations(""); a.has(byType["officeDocument"]) {
		return byType["officeDocument"]
	}
	return usual
}

// detectZip tells formats apart by the names of their parts.
func detectZip(raw []byte) Kind {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return detectDamaged(raw)
	}
	pages := false
	for i, f := range z.File {
		if i > maxEntries {
			break
		}
		name := clean(f.Name)
		switch {
		case name == "mimetype" && f.UncompressedSize64 < 200:
			if k := kindOfMedia(smallPart(f)); k != None {
				return k
			}
		case strings.HasPrefix(name, "word/"):
			return Word
		case strings.HasPrefix(name, "ppt/"):
			return Slides
		case strings.HasPrefix(name, "xl/"):
			return Sheets
		case name == "META-INF/container.xml":
			return Book
		case isPage(name):
			pages = true
		}
	}
	if pages {
		return ZippedPages
	}
	return None
}

// detectDamaged tells what an archive without a table of contents was, by the names
// that stand before its parts.
func detectDamaged(raw []byte) Kind {
	head := raw[:min(len(raw), 64<<10)]
	for _, k := range []struct {
		mark string
		kind Kind
	}{{"word/", Word}, {"ppt/", Slides}, {"xl/", Sheets}, {"epub+zip", Book}, {"META-INF/container.xml", Book}, {"opendocument", OpenText}, {"[Content_Types].xml", Word}} {
		if bytes.Contains(head, []byte(k.mark)) {
			return k.kind
		}
	}
	return None
}

func smallPart(f *zip.File) string {
	r, err := f.Open()
	if err != nil {
		return ""
	}
	defer r.Close()
	out, _ := io.ReadAll(io.LimitReader(r, 200))
	return strings.TrimSpace(string(out))
}

func kindOfMedia(media string) Kind {
	switch strings.TrimSuffix(media, "-template") {
	case "application/vnd.oasis.opendocument.text":
		return OpenText
	case "application/vnd.oasis.opendocument.spreadsheet":
		return OpenSheets
	case "application/vnd.oasis.opendocument.presentation":
		return OpenSlides
	case "application/epub+zip":
		return Book
	}
	return None
}

// isPage reports whether a name is that of a page of text.
func isPage(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return slices.Contains([]string{".html", ".htm", ".xhtml"}, ext) && !strings.HasPrefix(path.Base(name), ".") && !strings.HasPrefix(name, "__MACOSX/")
}
