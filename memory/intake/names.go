package intake

import (
	"fmt"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// CheckName refuses a name or an id that is too long to be indexed. what says whose it is.
func CheckName(what, name string) error {
	return checkLength(what, name, contract.MaxName)
}

func checkLength(what, name string, most int) error {
	if len(name) <= most {
		return nil
	}
	head, _ := text.Cut(strings.ToValidUTF8(name, "\uFFFD"), 40)
	return evidence.BadInput(fmt.Sprintf("%s %q… is %d bytes; the limit is %d", what, head, len(name), most), "give it a shorter one")
}

// CheckModel refuses a model whose name or revision is too long.
func CheckModel(m evidence.Model) error {
	if err := CheckName("the name of a model", m.Name); err != nil {
		return err
	}
	return CheckName("the revision of a model", m.Revision)
}

// CheckClaim refuses a claim whose ids are too long.
func CheckClaim(run contract.ClaimedRun) error {
	if err := CheckName("the id of a run", run.ID); err != nil {
		return err
	}
	return CheckName("the id of a session", run.Session)
}

// CheckTurn refuses a turn whose answer, or a document that it rests on, has an id that is
// too long.
func CheckTurn(t evidence.Turn) error {
	if t.Run == nil {
		return nil
	}
	if err := CheckName("the id of a run", t.Run.RunID); err != nil {
		return err
	}
	for _, c := range t.Run.Citations {
		if err := checkLength("the id of a cited document", c.DocumentID, contract.MaxID); err != nil {
			return err
		}
	}
	for _, id := range t.Used {
		if err := checkLength("the id of a used document", id, contract.MaxID); err != nil {
			return err
		}
	}
	return nil
}

// Answered is the error of a turn whose run is stored already.
func Answered(run string) error {
	return evidence.BadInput(fmt.Sprintf("the answer of run %q is stored already: this turn was not stored", run), "read it by its run, or give the turn another run")
}
