package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"brickmcp/auth"
	"brickmcp/catalog"
	"brickmcp/cmd/install"
	"brickmcp/tools/policy"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// installation is one run of brickmcp install.
type installation struct {
	*config
	machine   install.Machine
	client    *install.Client
	dryRun    bool
	uninstall bool
	print     bool
	npx       bool
	npxGiven  bool
}

func (c *config) installCommand() *cobra.Command {
	i := &installation{config: c, machine: install.Machine{OS: runtime.GOOS, Getenv: c.getenv}}
	var help strings.Builder
	help.WriteString("Write into the configuration of an MCP client what makes it start brickmcp, show the change, and keep a backup.\n" +
		"All else in the file stays as it is. Global flags given here go into the entry; no secret ever does.\n\nClients:\n")
	for _, client := range install.Clients() {
		fmt.Fprintf(&help, "  %-15s %s\n", client.ID, client.Name)
	}
	cmd := &cobra.Command{
		Use: "install CLIENT", Short: "Set up an MCP client: Claude, Cursor, VS Code and others", Long: strings.TrimSuffix(help.String(), "\n"),
		Example: "  brickmcp install cursor --profile work --access read,jobs=full\n  brickmcp install vscode --sandbox --dry-run\n  brickmcp install codex --uninstall",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("install: name one client: %s", strings.Join(clientsNear(""), ", "))
			}
			return nil
		},
		ValidArgs: clientsNear(""),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, ok := install.Find(args[0])
			if !ok {
				return usagef("unknown client %q: want %s", args[0], strings.Join(clientsNear(args[0]), ", "))
			}
			i.client, i.npxGiven = client, cmd.Flags().Changed("npx")
			return i.run(cmd.Root().PersistentFlags())
		},
	}
	cmd.Flags().BoolVar(&i.dryRun, "dry-run", false, "show the change and write nothing")
	cmd.Flags().BoolVar(&i.uninstall, "uninstall", false, "take the entry out again")
	cmd.Flags().BoolVar(&i.print, "print", false, "print the entry on stdout, to put it in by hand, and write nothing")
	cmd.Flags().BoolVar(&i.npx, "npx", false, "start the npm package through npx in place of this binary (the default when npx runs this)")
	return cmd
}

// clientsNear are the ids of all clients, first those that a word probably means.
func clientsNear(word string) []string {
	var ids []string
	for _, client := range install.Clients() {
		ids = append(ids, client.ID)
	}
	near := catalog.Nearest(word, ids)
	var first, others []string
	for _, id := range ids {
		switch {
		case id == near:
			first = append([]string{id}, first...)
		case word != "" && strings.HasPrefix(id, strings.ToLower(word)):
			first = append(first, id)
		default:
			others = append(others, id)
		}
	}
	return append(first, others...)
}

func (i *installation) run(global *pflag.FlagSet) error {
	if i.uninstall {
		if i.print {
			return usagef("--print and --uninstall do not go together")
		}
		change, err := install.Take(i.machine, i.client)
		if err != nil {
			return err
		}
		return i.apply(change, "brickmcp is not in it")
	}
	entry, err := i.entry(global)
	if err != nil {
		return err
	}
	if i.print {
		path, err := i.client.File(i.machine)
		if err != nil {
			return err
		}
		i.printf("%s reads %s:\n", i.client.Name, path)
		_, err = fmt.Fprint(i.out, i.client.Snippet(entry))
		return err
	}
	change, err := install.Put(i.machine, i.client, entry)
	if err != nil {
		return err
	}
	return i.apply(change, "brickmcp is in it like this already")
}

func (i *installation) apply(change *install.Change, already string) error {
	if change.Empty() {
		fmt.Fprintf(i.out, "Nothing to change in %s: %s.\n", change.Path, already)
		return nil
	}
	fmt.Fprint(i.out, change.Diff())
	if i.dryRun {
		fmt.Fprintln(i.out, "Nothing was written (--dry-run).")
		return nil
	}
	backup, err := change.Write()
	if err != nil {
		return err
	}
	switch {
	case change.Remove:
		fmt.Fprintf(i.out, "Removed %s, which held nothing else.\n", change.Path)
	case backup == "":
		fmt.Fprintf(i.out, "Wrote %s.\n", change.Path)
	default:
		fmt.Fprintf(i.out, "Wrote %s; as it was before: %s.\n", change.Path, backup)
	}
	if !i.uninstall {
		fmt.Fprintln(i.out, i.client.After)
	}
	return nil
}

// entry is what the client shall start: this program with the global flags given.
func (i *installation) entry(global *pflag.FlagSet) (install.Entry, error) {
	args, err := i.carried(global)
	if err != nil {
		return install.Entry{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return install.Entry{}, fmt.Errorf("find this program: %w", err)
	}
	if !i.npx && !i.npxGiven && slices.Contains(strings.Split(filepath.ToSlash(self), "/"), "_npx") {
		i.npx = true // npx empties its cache some day
	}
	if !i.npx {
		return install.Entry{Command: lasting(self), Args: args}, nil
	}
	pinned := version
	if strings.HasSuffix(pinned, "-dev") {
		pinned = "" // never published
	}
	return install.NPX(i.machine.OS, pinned, args)
}

// lasting is the path of this program that stays when it is updated: the one on PATH
// that leads to it, such as a package manager's link.
func lasting(self string) string {
	found, err := exec.LookPath(filepath.Base(self))
	if err != nil {
		return self
	}
	if found, err = filepath.Abs(found); err != nil {
		return self
	}
	a, errA := os.Stat(found)
	b, errB := os.Stat(self)
	if errA != nil || errB != nil || !os.SameFile(a, b) {
		return self
	}
	return found
}

// carried are the global flags of the command line as arguments of the entry, once
// they have proved right. Variables stay where they are: the client may have others.
func (i *installation) carried(global *pflag.FlagSet) ([]string, error) {
	s, err := i.check()
	if err != nil {
		return nil, err
	}
	if i.policy != "" {
		if _, err := policy.Load(i.policy, prefixes(s.managed)...); err != nil {
			return nil, err
		}
	}
	args := []string{}
	var here []string
	global.VisitAll(func(f *pflag.Flag) {
		from := i.given[f.Name]
		switch {
		case err != nil || from == "" || f.Name == "help":
			return
		case from != "--"+f.Name:
			here = append(here, from)
			return
		case f.Value.Type() == "bool":
			args = append(args, "--"+f.Name+strings.TrimSuffix("="+f.Value.String(), "=true"))
			return
		}
		values := []string{f.Value.String()}
		if several, ok := f.Value.(pflag.SliceValue); ok {
			values = several.GetSlice()
		}
		for _, value := range values {
			if holdsSecret(value) {
				err = usagef("--%s: this looks like a secret, and none goes into the file of a client; sign in with brickmcp login", f.Name)
				return
			}
			if f.Name == "host" {
				if _, wrong := auth.ParseHost(value); wrong != nil {
					err = usagef("--host: %w", wrong)
					return
				}
			}
			if value, err = absolute(f.Name, value); err != nil {
				return
			}
			args = append(args, "--"+f.Name, value)
		}
	})
	for _, name := range []string{"DATABRICKS_TOKEN", "DATABRICKS_CLIENT_SECRET", "ARM_CLIENT_SECRET"} {
		if i.getenv(name) != "" {
			here = append(here, name)
		}
	}
	if len(here) > 0 && err == nil {
		i.printf("brickmcp: not written into the entry: %s. They count only if the client starts with them; flags given here are written, and brickmcp login does without a token.\n", strings.Join(here, ", "))
	}
	return args, err
}

// absolute makes the paths among the flags work in the directory of the client.
func absolute(flag, value string) (string, error) {
	switch {
	case flag != "policy" && flag != "audit-file" && flag != "allow-dir", flag == "audit-file" && value == "off":
		return value, nil
	}
	path, err := filepath.Abs(value)
	if err != nil {
		return "", usagef("--%s %q: %w", flag, value, err)
	}
	return path, nil
}

// holdsSecret finds what somebody pasted into the wrong flag: a token of Databricks, or
// a password in an address.
func holdsSecret(value string) bool {
	if u, err := url.Parse(value); err == nil && u.User != nil {
		return true
	}
	for _, start := range []string{"dapi", "dose", "dkea", "dsap"} {
		_, rest, found := strings.Cut(value, start)
		if found && len(rest)-len(strings.TrimLeft(rest, "0123456789abcdefABCDEF")) >= 16 {
			return true
		}
	}
	return strings.HasPrefix(value, "eyJ")
}
