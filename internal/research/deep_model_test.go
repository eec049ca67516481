package research

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

// modelDividing is a chooser whose model plans, and divides the question; the built-in
// models do not divide.
type modelDividing struct {
	*fakeChooser
	model   *fakeModel
	divider models.Divider
}

func (c modelDividing) BuiltIn() models.Set {
	set := c.fakeChooser.BuiltIn()
	set.Synthesizer = selective{c.builtIn}
	return set
}

func (c modelDividing) Choose(context.Context) models.Set {
	set := c.BuiltIn()
	set.Planner, set.Divider = c.model, c.divider
	return set
}

type failingDivider struct{}

func (failingDivider) Parts(context.Context, string, int) ([]string, error) {
	return nil, errors.New("no parts")
}

// A deep question that is one for the built-in models is divided by a model that can: its
// parts are searched for while the sources are asked, and make the report. Without parts,
// and at other depths, it is answered as one.
func TestAModelDivides(t *testing.T) {
	t.Parallel()
	const report = "## Alpha start\n\nAlpha starts first. [1]\n\n## Beta end\n\nBeta ends last. [2]"
	const whole = "Gamma is a tool. [1]"
	parts := dividing{"Alpha start", "Beta end"}
	for _, c := range []struct {
		name, depth, want string
		divider           models.Divider
		asked             []string
	}{
		{"deep", DepthDeep, report, parts, []string{"gamma history", "gamma deploy", "alpha start", "beta end"}},
		{"standard", DepthStandard, whole, parts, nil}, // the plan may come too late
		{"one part", DepthDeep, whole, dividing{"Alpha start"}, []string{"gamma history", "gamma deploy"}},
		{"it fails", DepthDeep, whole, failingDivider{}, []string{"gamma history", "gamma deploy"}},
		{"no divider", DepthDeep, whole, nil, []string{"gamma history", "gamma deploy"}},
	} {
		src := &byKeyword{name: "wiki", texts: map[string]string{
			"gamma deploy": "Gamma is a tool.", "alpha start": "Alpha starts first.", "beta end": "Beta ends last.",
		}}
		w := newWorld(nil, src)
		w.deps.Models = modelDividing{w.chooser, &fakeModel{name: "model", keywords: []string{"gamma history"}}, c.divider}
		var told []string
		a, err := w.Research(t.Context(), Request{Question: "Gamma deploy", Depth: c.depth}, func(ev Event) {
			if ev.Parts != nil {
				told = ev.Parts
			}
		})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, a.Answer); diff != "" {
			t.Errorf("%s: answer (-want +got):\n%s", c.name, diff)
		}
		if want := strings.HasPrefix(a.Answer, "##"); want != slices.Equal(told, parts) {
			t.Errorf("%s: the parts %q were told", c.name, told)
		}
		asked := make([]string, len(a.Topics))
		for i, topic := range a.Topics {
			asked[i] = strings.ToLower(topic)
		}
		slices.Sort(asked)
		slices.Sort(c.asked)
		if diff := cmp.Diff(c.asked, asked); c.asked != nil && diff != "" {
			t.Errorf("%s: keywords (-want +got):\n%s", c.name, diff)
		}
		if a.Status != evidence.Answered {
			t.Errorf("%s: status %q", c.name, a.Status)
		}
		w.Close()
	}
}
