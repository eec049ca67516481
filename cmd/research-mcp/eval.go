package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/evaluation"
	"github.com/research-mcp/research-mcp/internal/evidence"
)

func newEval(c *console) *cobra.Command {
	var o evaluation.Options
	cmd := &cobra.Command{
		Use: "eval DIR", Short: "Score recall, answers or their confidence on a test collection in BEIR's layout", Args: exactly(1, "one folder"),
		Long: `Reads corpus.jsonl, queries.jsonl and qrels.tsv from DIR, stores the documents in a
temporary memory, waits until all of them have vectors, asks every judged query and
prints the scores. It does not touch your memory, unless --configured says so.`,
		Example: "research-mcp eval ./scifact --mode hybrid",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Dir = args[0]
			for _, f := range []struct {
				name, value string
				valid       []string
			}{
				{"task", o.Task, []string{evaluation.TaskRecall, evaluation.TaskAnswer, evaluation.TaskConfidence}},
				{"mode", o.Mode, []string{evidence.ModeHybrid, evidence.ModeBM25, evidence.ModeVector}},
			} {
				if !slices.Contains(f.valid, f.value) {
					return evidence.BadInput(fmt.Sprintf("there is no %s %q", f.name, f.value), "choose from: "+strings.Join(f.valid, ", "))
				}
			}
			cfg, err := c.settings()
			if err != nil {
				return err
			}
			score, err := evaluation.Run(cmd.Context(), cfg, o, c.logger(cfg.LogLevel))
			if err != nil {
				return err
			}
			return c.print(score)
		},
	}
	cmd.Flags().StringVar(&o.Task, "task", evaluation.TaskRecall, "what is scored: recall, answer or confidence")
	cmd.Flags().StringVar(&o.Mode, "mode", evidence.ModeHybrid, "of the task recall: hybrid, bm25 or vector")
	cmd.Flags().BoolVar(&o.Configured, "configured", false, "of the task recall: in the memory of the settings, which has to be empty and is empty afterwards")
	return cmd
}
