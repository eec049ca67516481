package tools

// All are the tools, sorted by name. It panics when a schema that is built into
// the program is broken, which the tests of this package rule out.
func All(d Deps) []Definition {
	d = d.withDefaults()
	return []Definition{
		fetchSources(d),
		forget(d),
		recall(d),
		remember(d),
		researchTool(d),
	}
}
