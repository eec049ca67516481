package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newRun(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "run R_ID", Short: "Show a stored answer again", Args: exactly(1, "one run id"), Example: "research-mcp run r_2k3v",
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			answer, err := a.Library().Run(cmd.Context(), args[0])
			if err == nil {
				err = c.show(answer)
			}
			return errors.Join(err, a.Close())
		},
	}
}
