package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory"
)

func newTenant(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use: "tenant COMMAND", Short: "Tenants of a server: memories of their own",
		Long: `Each tenant has a memory of its own: documents, sessions and answers, which no caller of
another tenant sees. A tenant is made with its first call or with ` + "`tenant add`" + `; who belongs to
it is said by its tokens (` + "`research-mcp token add NAME --tenant TENANT`" + `) or by the issuer
of the setting server.http.issuer.

With the local memory, each has a folder below tenants/ in the data folder. With
postgres, each has rows of its own in the database; memory.tenant_urls puts single ones
into other databases.`,
		Example: `research-mcp tenant add build
research-mcp tenant list
research-mcp tenant export build build.jsonl
research-mcp tenant remove build`,
		Args: aCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTenantAdd(c), newTenantExport(c), newTenantImport(c), newTenantList(c), newTenantRemove(c))
	return cmd
}

func newTenantAdd(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "add NAME", Short: "Make the empty memory of a tenant", Args: exactly(1, "one name"),
		Example: "research-mcp tenant add build",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withApp(cmd.Context(), func(a *app.App) error {
				if err := a.AddTenant(cmd.Context(), args[0]); err != nil {
					return err
				}
				if c.json {
					return c.print(map[string]any{"added": args[0]})
				}
				err := c.say("The tenant %q has a memory.", args[0])
				c.note(fmt.Sprintf("`research-mcp token add NAME --tenant %s` lets somebody use it.", args[0]))
				return err
			})
		},
	}
}

func newTenantList(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the tenants, and what each keeps", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withApp(cmd.Context(), func(a *app.App) error {
				list, failed := a.Tenants(cmd.Context())
				if len(list) == 0 && failed != nil {
					return failed
				}
				if c.json {
					return errors.Join(c.print(map[string]any{"tenants": list}), failed)
				}
				var rows [][]string
				for _, t := range list {
					if t.Problem != nil {
						rows = append(rows, []string{t.Name, "! " + t.Problem.What})
						continue
					}
					newest := "nothing read yet"
					if !t.Newest.IsZero() {
						newest = "last read " + c.day(t.Newest)
					}
					rows = append(rows, []string{t.Name, text.Count(t.Documents, "document"), text.Count(t.TextBytes, "byte") + " of text", text.Count(t.Sessions, "session"), newest})
				}
				return errors.Join(c.printList(rows, "There is no tenant yet: `research-mcp tenant add NAME` makes one."), failed)
			})
		},
	}
}

func newTenantRemove(c *console) *cobra.Command {
	var confirm bool
	cmd := &cobra.Command{
		Use: "remove NAME", Short: "Remove a tenant with everything that is kept of it", Args: exactly(1, "one name"),
		Long: `Removes the memory of a tenant: its documents, sessions, answers and vectors, its cache, and
the automatic backups in its folder. Its tokens have to be revoked before. It cannot be
undone; ` + "`research-mcp tenant export`" + ` keeps a copy.

With the local memory, no server may have the tenant open: it is closed when it has been
idle for a while, or when the server stops. Of a database, backups and archives keep what they have until
they expire, and so do cached responses in the data folders of other machines
(tenants/NAME there).`,
		Example: "research-mcp tenant remove build --confirm",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withApp(cmd.Context(), func(a *app.App) error { return c.removeTenant(cmd.Context(), a, args[0], confirm) })
		},
	}
	cmd.Flags().BoolVar(&confirm, "confirm", false, "remove it; without, it is said what would be removed")
	return cmd
}

func (c *console) removeTenant(ctx context.Context, a *app.App, name string, confirm bool) error {
	if !confirm {
		own, err := a.Tenant(ctx, name)
		if err != nil {
			return err
		}
		s, err := own.Library().Stats(ctx)
		if err = errors.Join(err, own.Close()); err != nil {
			return err
		}
		return evidence.BadInput(fmt.Sprintf("the tenant %q has %s and %s", name, text.Count(s.Documents, "document"), text.Count(s.Sessions, "session")),
			fmt.Sprintf("`research-mcp tenant remove %s --confirm` removes them for good", name))
	}
	removed, err := a.RemoveTenant(ctx, name)
	if err != nil {
		return err
	}
	if c.json {
		return c.print(map[string]any{"removed": removed})
	}
	return c.say("The tenant %q is removed, with %s and %s.", name, text.Count(removed.Documents, "document"), text.Count(removed.Sessions, "session"))
}

func newTenantExport(c *console) *cobra.Command {
	var vectors bool
	var how sealing
	cmd := &cobra.Command{
		Use: "export NAME FILE|-", Short: "Write the memory of a tenant as JSON lines to a new file or to stdout", Args: exactly(2, "a tenant and a file that does not exist yet, or -"),
		Long:    "Writes what `memory export` writes, of a tenant. `research-mcp memory import` reads it.",
		Example: "research-mcp tenant export build build.jsonl\nresearch-mcp tenant export --encrypt build build.age",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withApp(cmd.Context(), func(a *app.App) error { return c.exportTenant(cmd.Context(), a, args[0], args[1], vectors, how) })
		},
	}
	how.flags(cmd.Flags())
	cmd.Flags().BoolVar(&vectors, "vectors", false, "include the vectors: larger, but an import embeds nothing again")
	return cmd
}

func newTenantImport(c *console) *cobra.Command {
	var opts memory.ImportOptions
	var how opening
	cmd := &cobra.Command{
		Use: "import NAME FILE|-", Short: "Add the contents of an export to the memory of a tenant", Args: exactly(2, "a tenant and a file, or - for stdin"),
		Long:    "Does what `memory import` does, for a tenant that there is (`tenant add` makes one).",
		Example: "research-mcp tenant add build && research-mcp tenant import build build.jsonl",
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := c.openFile(cmd.Context(), args[1], how)
			if err != nil {
				return err
			}
			defer in.close() //nolint:errcheck // it was only read
			return c.withApp(cmd.Context(), func(a *app.App) error {
				own, err := a.Tenant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				moved, err := own.Library().Import(cmd.Context(), in, opts, c.reindexing)
				return c.imported(moved, errors.Join(err, own.Close()))
			})
		},
	}
	how.flags(cmd.Flags())
	cmd.Flags().BoolVar(&opts.Strict, "strict", false, "end at the first line that cannot be stored")
	return cmd
}

func (c *console) exportTenant(ctx context.Context, a *app.App, name, file string, vectors bool, how sealing) (err error) {
	seal, err := c.seal(ctx, how)
	if err != nil {
		return err
	}
	own, err := a.Tenant(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, own.Close()) }()
	if file == "-" {
		file = ""
	}
	return c.writeExport(ctx, file, seal, func(w io.Writer) (memory.Moved, error) { return own.Library().Export(ctx, w, vectors) })
}

// writeExport writes an export to a file, or to stdout if file is empty, and reports it.
func (c *console) writeExport(ctx context.Context, file string, seal memory.Seal, write func(io.Writer) (memory.Moved, error)) error {
	var moved memory.Moved
	var err error
	switch {
	case file != "":
		moved, err = library.WriteExport(ctx, file, seal, write)
	case seal != nil:
		moved, err = exportTo(c.raw, seal, write)
	default:
		moved, err = write(c.raw)
	}
	if err != nil {
		return err
	}
	if file == "" {
		return errors.Join(c.sayMoved(moved), leftOut("read", moved))
	}
	return errors.Join(c.printMoved("Exported", moved), leftOut("read", moved))
}
