package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCommand prints a script that completes commands and flags.
type completionCommand struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

// Run prints the script. It comes from the command tree, so it knows all commands of the binary.
func (c *completionCommand) Run(p *program, app *kong.Kong) error {
	nodes := shownNodes(app.Model.Node)
	switch c.Shell {
	case "fish":
		return fishScript(p.stdout, nodes)
	case "zsh":
		fmt.Fprintln(p.stdout, "#compdef dashfeed\nautoload -U +X bashcompinit && bashcompinit")
	}
	return bashScript(p.stdout, nodes)
}

// shownNodes returns the tree below root, parents first.
func shownNodes(root *kong.Node) []*kong.Node {
	nodes := []*kong.Node{root}
	for _, child := range root.Children {
		if !child.Hidden {
			nodes = append(nodes, shownNodes(child)...)
		}
	}
	return nodes
}

// words returns what may follow the node: its commands or the words of its argument, and its flags.
func words(n *kong.Node) (commands, flags []string) {
	for _, child := range n.Children {
		if !child.Hidden {
			commands = append(commands, child.Name)
		}
	}
	for _, argument := range n.Positional {
		if argument.Enum != "" {
			commands = append(commands, argument.EnumSlice()...)
		}
	}
	for _, f := range n.Flags {
		flags = append(flags, "--"+f.Name)
	}
	return commands, append(flags, "--help")
}

func pathOf(n *kong.Node) string {
	if n.Parent == nil {
		return ""
	}
	return strings.TrimSpace(pathOf(n.Parent) + " " + n.Name)
}

func bashScript(w io.Writer, nodes []*kong.Node) error {
	var cases strings.Builder
	var commands []string
	for _, n := range nodes {
		names, flags := words(n)
		fmt.Fprintf(&cases, "    %q) words=%q ;;\n", pathOf(n), strings.Join(append(names, flags...), " "))
		if path := pathOf(n); path != "" {
			commands = append(commands, fmt.Sprintf("%q", path))
		}
	}
	_, err := fmt.Fprintf(w, `_dashfeed() {
  local current="${COMP_WORDS[COMP_CWORD]}" path="" next word words=""
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="${path:+$path }$word"
    case "$next" in
      %s) path="$next" ;;
    esac
  done
  case "$path" in
%s  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ ${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -F _dashfeed dashfeed
`, strings.Join(commands, "|"), cases.String())
	return err
}

func fishScript(w io.Writer, nodes []*kong.Node) error {
	for _, n := range nodes {
		condition := "__fish_use_subcommand"
		if path := pathOf(n); path != "" {
			condition = "__fish_seen_subcommand_from " + strings.ReplaceAll(path, " ", "; and __fish_seen_subcommand_from ")
		}
		for _, child := range n.Children {
			if !child.Hidden {
				fmt.Fprintf(w, "complete -c dashfeed -f -n %q -a %s -d %q\n", condition, child.Name, child.Help)
			}
		}
		for _, f := range n.Flags {
			fmt.Fprintf(w, "complete -c dashfeed -n %q -l %s -d %q\n", condition, f.Name, f.Help)
		}
	}
	_, err := fmt.Fprintln(w, "complete -c dashfeed -l help -d 'Show help.'")
	return err
}
