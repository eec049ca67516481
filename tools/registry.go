package tools

// All returns the tools, sorted by name. It panics when a definition is wrong,
// such as a schema that names a field its struct lacks.
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
