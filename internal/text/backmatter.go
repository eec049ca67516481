package text

import (
	"strings"
	"sync"
)

// backMatter are headings of sections that only point elsewhere.
var backMatter = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for h := range strings.SplitSeq("see also|references|bibliography|further reading|external links|related links|related pages|index|contents|table of contents|"+
		"link to learning|acknowledgements|acknowledgments|copyright|works cited|on this page|in this section|what's next|next steps|"+
		"ver também|veja também|referências|ver también|véase también|referencias|bibliografía|siehe auch|literatur|voir aussi|références|vedi anche|参考文献|関連項目|参照|参考资料", "|") {
		out[h] = true
	}
	return out
})

// IsBackMatter reports whether the innermost of the headings above a text is that of a
// list of references, an index or the like.
func IsBackMatter(path []string) bool {
	if len(path) == 0 {
		return false
	}
	h := strings.TrimLeft(path[len(path)-1], "0123456789. ")
	return backMatter()[strings.ToLower(strings.Trim(h, "#*_:. "))]
}
