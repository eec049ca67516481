package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/research-mcp/research-mcp/internal/terminal"
)

// setHelp makes a command and those below it print their help in the terminal's width.
func (c *console) setHelp(root *cobra.Command) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { c.printHelp(c.out, c.screen, cmd) })
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		c.printHelp(c.err, c.notes, cmd)
		return nil
	})
}

func (c *console) printHelp(w io.Writer, s terminal.Screen, cmd *cobra.Command) {
	s = s.Prose()
	about := cmd.Long
	if about == "" {
		about = cmd.Short + "."
	}
	parts := []string{prose(s, about), s.Heading("Usage") + "\n" + s.Wrap(c.usageLine(cmd), "  ", "    ")}
	if cmd.Example != "" {
		parts = append(parts, s.Heading("Examples")+"\n"+prose(s, cmd.Example))
	}
	var commands [][]string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			commands = append(commands, []string{sub.Name(), sub.Short})
		}
	}
	add := func(heading string, rows [][]string) {
		if len(rows) > 0 {
			parts = append(parts, s.Heading(heading)+"\n"+strings.TrimRight(s.Table(rows, "  "), "\n"))
		}
	}
	add("Commands", commands)
	add("Flags", flagRows(cmd.LocalNonPersistentFlags()))
	if cmd.HasParent() {
		add("Flags of every command", flagRows(cmd.InheritedFlags()))
	} else {
		add("Flags of every command", flagRows(cmd.PersistentFlags()))
	}
	fmt.Fprintln(w, strings.Join(parts, "\n\n"))
}

// usageLine is how a command is written.
func (c *console) usageLine(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return c.name() + " COMMAND [FLAGS]"
	}
	_, arguments, _ := strings.Cut(cmd.Use, " ")
	line := strings.TrimSpace(cmd.CommandPath() + " " + arguments)
	if cmd.HasAvailableLocalFlags() {
		line += " [FLAGS]"
	}
	return line
}

// valueNames are what stands for the values of flags, by pflag's name of their type.
func valueNames() map[string]string {
	return map[string]string{"string": "TEXT", "strings": "A,B", "stringArray": "TEXT", "duration": "TIME", "int": "N"}
}

// flagRows are flags with what they mean and their defaults.
func flagRows(flags *pflag.FlagSet) [][]string {
	var rows [][]string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		value = cmp.Or(valueNames()[value], value)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" {
			name += " " + value
		}
		switch f.Name {
		case "help":
			usage = "print this text"
		case "version":
			usage = "print the version"
		}
		switch f.DefValue {
		case "", "false", "0", "0s", "[]":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		rows = append(rows, []string{name, usage})
	})
	return rows
}
