package evidence

import (
	"maps"
	"slices"
)

// Clone returns a copy of the answer that shares no slice or map with it.
func (a Answer) Clone() Answer {
	a.Claims = slices.Clone(a.Claims)
	for i := range a.Claims {
		a.Claims[i].Citations = slices.Clone(a.Claims[i].Citations)
	}
	a.Citations = slices.Clone(a.Citations)
	a.Sources = slices.Clone(a.Sources)
	a.NotAsked = slices.Clone(a.NotAsked)
	a.Topics = slices.Clone(a.Topics)
	a.Analysis.BySource = maps.Clone(a.Analysis.BySource)
	a.Analysis.Keywords = slices.Clone(a.Analysis.Keywords)
	a.Analysis.TopDocuments = slices.Clone(a.Analysis.TopDocuments)
	a.Warnings = slices.Clone(a.Warnings)
	a.Evidence = slices.Clone(a.Evidence)
	for i := range a.Evidence {
		a.Evidence[i].Heading = slices.Clone(a.Evidence[i].Heading)
	}
	return a
}
