package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/diagnosis"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/terminal"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory"
)

func newMemoryExport(c *console) *cobra.Command {
	var vectors bool
	var how sealing
	cmd := &cobra.Command{
		Use: "export [FILE|-]", Short: "Write the whole memory as JSON lines to a new file or to stdout",
		Long: `Writes documents, chunks and sessions of one moment as JSON lines, to a file that
does not exist yet or to stdout. With stdout the report goes to stderr, with --json
too. What is damaged is left out and named; the exit code is 1 then.

With --encrypt or a recipient, the file is encrypted with age; ` + "`research-mcp memory import`" + `
and the program age open it.`,
		Example: `research-mcp memory export memory.jsonl
  research-mcp memory export --encrypt memory.age
  research-mcp memory export | ssh other research-mcp memory import -`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && args[0] == "" {
				return evidence.BadInput(fmt.Sprintf("export takes one file, - or nothing; there %s", arguments(len(args))), "`research-mcp memory export --help` has examples")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			file := ""
			if len(args) == 1 && args[0] != "-" {
				file = args[0]
			}
			return c.export(cmd.Context(), file, vectors, how)
		},
	}
	how.flags(cmd.Flags())
	cmd.Flags().BoolVar(&vectors, "vectors", false, "include the vectors: larger, but an import embeds nothing again")
	return cmd
}

// export writes the memory to a file, or to stdout if file is empty. Of one that
// cannot be opened because it is damaged, it writes what can be read.
func (c *console) export(ctx context.Context, file string, vectors bool, how sealing) (err error) {
	seal, err := c.seal(ctx, how)
	if err != nil {
		return err
	}
	var write func(w io.Writer) (memory.Moved, error)
	a, err := c.open(ctx)
	switch {
	case err == nil:
		defer func() { err = errors.Join(err, a.Close()) }()
		write = func(w io.Writer) (memory.Moved, error) { return a.Library().Export(ctx, w, vectors) }
	case errors.Is(err, memory.ErrDamaged):
		cfg, err := c.settings()
		if err != nil {
			return err
		}
		write = func(w io.Writer) (memory.Moved, error) {
			return diagnosis.RescueMemory(ctx, cfg, c.logger(cfg.LogLevel), w, vectors)
		}
	default:
		return err
	}
	return c.writeExport(ctx, file, seal, write)
}

// exportTo encrypts an export to a stream.
func exportTo(w io.Writer, seal memory.Seal, write func(io.Writer) (memory.Moved, error)) (memory.Moved, error) {
	out, err := seal(w)
	if err != nil {
		return memory.Moved{}, err
	}
	moved, err := write(out)
	if err != nil {
		return moved, err // without an end the stream is not opened
	}
	return moved, out.Close()
}

// leftOut makes the exit code show that records are missing.
func leftOut(what string, m memory.Moved) error {
	if m.Failed == 0 {
		return nil
	}
	return &evidence.Problem{What: fmt.Sprintf("%s could not be %s: see the report", text.Count(m.Failed, "record"), what)}
}

func newMemoryImport(c *console) *cobra.Command {
	var opts memory.ImportOptions
	var how opening
	cmd := &cobra.Command{
		Use: "import FILE|-", Short: "Add the contents of an export; existing documents are not changed", Args: one("import", "one file, or - for stdin"),
		Long: `Adds what an export has. A line that cannot be stored is left out and named, and the
exit code is 1 then; with --strict it ends the import. Of an export that was cut short,
what is there is stored, and the exit code is 1.

An export that is encrypted with age is opened with the passphrase or the private key. If
it is cut short or altered, nothing of it is imported.`,
		Example: "research-mcp memory import memory.jsonl\nresearch-mcp memory import --identity key.txt memory.age",
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := c.openFile(cmd.Context(), args[0], how)
			if err != nil {
				return err
			}
			defer in.close() //nolint:errcheck // it was only read
			return c.withApp(cmd.Context(), func(a *app.App) error {
				moved, err := a.Library().Import(cmd.Context(), in, opts, c.reindexing)
				return c.imported(moved, err)
			})
		},
	}
	how.flags(cmd.Flags())
	cmd.Flags().BoolVar(&opts.Strict, "strict", false, "end at the first line that cannot be stored")
	return cmd
}

// imported reports an import, also one of an export that was cut short.
func (c *console) imported(moved memory.Moved, err error) error {
	if err != nil && (!errors.Is(err, memory.ErrCutShort) || moved.Documents+moved.Sessions+moved.Skipped+moved.Failed == 0) {
		return err
	}
	return errors.Join(c.printMoved("Imported", moved), err, leftOut("imported", moved))
}

func movedText(did string, m memory.Moved) string {
	vectors := "without vectors"
	if m.Vectors > 0 {
		vectors = "vectors of " + text.Count(m.Vectors, "document")
	}
	moved := fmt.Sprintf("%s %s (%s, %s) and %s (%s)", did, text.Count(m.Documents, "document"), text.Count(m.Chunks, "chunk"), vectors,
		text.Count(m.Sessions, "session"), text.Count(m.Turns, "message"))
	if m.Skipped > 0 {
		moved += fmt.Sprintf("; already there, and not changed: %d", m.Skipped)
	}
	return moved + "\n"
}

func (c *console) printMoved(did string, m memory.Moved) error {
	if c.json {
		return c.print(m)
	}
	c.warn(m.Warnings)
	return c.say("%s", strings.TrimSpace(movedText(did, m)))
}

// sayMoved reports an export on stderr, because stdout has the export itself.
func (c *console) sayMoved(m memory.Moved) error {
	if !c.json {
		c.warn(m.Warnings)
		fmt.Fprint(c.err, movedText("Exported", m))
		return nil
	}
	report, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding the report: %w", err)
	}
	fmt.Fprintln(c.err, string(report))
	return nil
}

func newMemoryBackup(c *console) *cobra.Command {
	var how sealing
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Write a complete copy to a new file while the memory is in use", Args: one("backup", "one file that does not exist yet"),
		Long: `Writes a complete copy to a new file while the memory is in use.

To restore it, stop all servers and copy the file over memory.db, whose path ` + "`research-mcp memory stats`" + `
prints; delete memory.db-wal and memory.db-shm if they are there. An encrypted copy
becomes such a file by ` + "`research-mcp memory decrypt`" + `.`,
		Example: "research-mcp memory backup ~/memory-backup.db\nresearch-mcp memory backup --recipient age1… ~/memory-backup.age",
		RunE: func(cmd *cobra.Command, args []string) error {
			seal, err := c.seal(cmd.Context(), how)
			if err != nil {
				return err
			}
			return c.withApp(cmd.Context(), func(a *app.App) error {
				r, err := backup(cmd.Context(), a, args[0], seal)
				if err != nil {
					return err
				}
				if c.json {
					return c.print(r)
				}
				err = c.say("Copied %s, %s, to %s", text.Count(r.Documents, "document"), text.Count(r.Bytes, "byte"), r.Path)
				c.note(c.hint("`research-mcp memory backup --help` says how to restore it"))
				return err
			})
		},
	}
	how.flags(cmd.Flags())
	return cmd
}

func backup(ctx context.Context, a *app.App, path string, seal memory.Seal) (memory.BackupReport, error) {
	if seal == nil {
		return a.Library().Backup(ctx, path)
	}
	return a.Library().BackupSealed(ctx, path, seal)
}

func newMemoryDecrypt(c *console) *cobra.Command {
	var how opening
	cmd := &cobra.Command{
		Use: "decrypt FILE NEWFILE", Short: "Decrypt an encrypted backup or export to a new file", Args: exactly(2, "an encrypted file and a file that does not exist yet"),
		Long:    "Decrypts a file that `memory backup` or `memory export` has encrypted. Of a file that is cut\nshort or altered, nothing is written.",
		Example: "research-mcp memory decrypt --identity key.txt memory-backup.age memory-backup.db",
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := c.openFile(cmd.Context(), args[0], how)
			if err != nil {
				return err
			}
			defer in.close() //nolint:errcheck // it was only read
			if !in.sealed {
				return evidence.BadInput(args[0]+" is not encrypted with age", "use it as it is")
			}
			var size int64
			_, err = library.WriteExport(cmd.Context(), args[1], nil, func(w io.Writer) (memory.Moved, error) {
				size, err = io.Copy(w, in)
				return memory.Moved{}, err
			})
			if err != nil {
				return err
			}
			if c.json {
				return c.print(map[string]any{"path": args[1], "bytes": size})
			}
			return c.say("Decrypted %s to %s", text.Count(size, "byte"), args[1])
		},
	}
	how.flags(cmd.Flags())
	return cmd
}

func newMemoryReindex(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "reindex", Short: "Compute vectors of the current embedder for every document; continues after an interruption", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withApp(cmd.Context(), func(a *app.App) error {
				r, err := a.Library().Reindex(cmd.Context(), c.reindexing)
				if err != nil {
					return err
				}
				if c.json {
					err = c.print(r)
				} else {
					err = c.say("%d of %s with vectors of %s", r.Done, text.Count(r.Total, "document"), r.Model)
				}
				if r.Skipped > 0 {
					err = errors.Join(err, r.Problem())
				}
				return err
			})
		},
	}
}

// reindexing redraws the progress on a terminal.
func (c *console) reindexing(p memory.Progress) {
	if c.live() {
		end := ""
		if p.Done >= p.Total {
			end = "\n"
		}
		line := fmt.Sprintf("%s: %d of %s", p.Model, p.Done, text.Count(p.Total, "document"))
		fmt.Fprint(c.err, c.notes.Redraw(terminal.Cut(line, c.notes.Width-1)+end))
	}
}
