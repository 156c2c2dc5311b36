package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"golang.org/x/term"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// drawRate is how often per second a terminal is redrawn.
const drawRate = 10

var (
	headStyle  = lipgloss.NewStyle().Bold(true)
	titleStyle = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Color("6"))
	faintStyle = lipgloss.NewStyle().Faint(true)
	alertStyle = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Color("3"))
)

// terminal returns w's file if w is a terminal.
func terminal(w io.Writer) (*os.File, bool) {
	f, ok := w.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// live draws dashboards in the terminal until ctx ends or q is pressed; tab shows the next one.
func live(ctx context.Context, server *client.Client, stdin io.Reader, out *os.File, options []client.SubscribeOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	screen := tea.NewProgram(&screenModel{boards: make([]board, len(options))},
		tea.WithContext(ctx), tea.WithInput(stdin), tea.WithOutput(out), tea.WithoutSignalHandler())
	var pumps sync.WaitGroup
	defer pumps.Wait()
	defer cancel()
	for i, o := range options {
		pumps.Go(func() {
			if err := pump(ctx, server, o, func(b board) { screen.Send(boardMessage{i, b}) }); err != nil && ctx.Err() == nil {
				screen.Send(failedMessage{err})
			}
		})
	}
	model, err := screen.Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return ctx.Err()
	}
	if last, ok := model.(*screenModel); ok && err == nil {
		return last.err
	}
	return err
}

// pump follows one dashboard and sends a board after every event.
func pump(ctx context.Context, server *client.Client, o client.SubscribeOptions, show func(board)) error {
	o.MaxRate = drawRate
	note, counters := "connecting", ""
	var last board
	return follow(ctx, server, o, func(s *client.Subscription, e client.SubscriptionEvent) error {
		switch e := e.(type) {
		case *client.Disconnected:
			note = fmt.Sprintf("disconnected (%v), attempt %d in %s", e.Err, e.Attempt, e.Wait.Round(time.Millisecond))
		case *client.Status:
			if note = e.Frame.State; note == "live" {
				note = ""
			}
		case *client.Snapshot, *client.Update:
			if note = ""; hasNoRecord(s, e) {
				note = waitingNote
			}
		}
		last = newBoard(s.View(), note)
		last.counters = counters
		show(last)
		return nil
	}, func(c messages.Counters) error {
		if counters = countersLine(c); last.counters != counters {
			last.counters = counters
			show(last)
		}
		return nil
	})
}

type boardMessage struct {
	index int
	board board
}

type failedMessage struct{ err error }

// screenModel is the content of the terminal.
type screenModel struct {
	boards        []board
	shown         int
	width, height int
	err           error
}

func (m *screenModel) Init() tea.Cmd { return nil }

func (m *screenModel) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = message.Width, message.Height
	case tea.KeyPressMsg:
		switch message.String() {
		case "q", "esc", "ctrl+c":
			return m, tea.Quit
		case "tab", "right":
			m.shown = (m.shown + 1) % len(m.boards)
		case "left":
			m.shown = (m.shown + len(m.boards) - 1) % len(m.boards)
		}
	case boardMessage:
		m.boards[message.index] = message.board
	case failedMessage:
		m.err = message.err
		return m, tea.Quit
	}
	return m, nil
}

func (m *screenModel) View() tea.View {
	v := tea.NewView(strings.Join(m.lines(), "\n"))
	v.AltScreen = true
	return v
}

// lines returns the screen: as many rows of each panel as there is room for.
func (m *screenModel) lines() []string {
	b := m.boards[m.shown]
	head := headStyle.Render(visible(b.dashboard)) + faintStyle.Render(fmt.Sprintf("  version %d", b.version))
	if b.note != "" {
		head += "  " + alertStyle.Render(visible(b.note))
	}
	lines := []string{head}
	if b.counters != "" {
		lines = append(lines, faintStyle.Render(visible(b.counters)))
	}
	keys := "q quit"
	if len(m.boards) > 1 {
		keys = "tab next dashboard, q quit"
	}
	room := max(1, (m.height-4)/max(1, len(b.schema))-3)
	for n := range b.schema {
		lines = append(lines, "", titleStyle.Render(b.heading(n)))
		lines = append(lines, b.rows(n, room)...)
	}
	for i := range lines {
		lines[i] = lipgloss.NewStyle().MaxWidth(max(20, m.width)).Render(lines[i])
	}
	if m.height > 0 && len(lines) > m.height-1 {
		lines = lines[:m.height-1]
	}
	return append(lines, faintStyle.Render(keys))
}

// heading returns the title of a panel, with the number of groups that overflowed.
func (b board) heading(n int) string {
	p := b.schema[n]
	title := p.Title
	if title == "" {
		title = p.Panel
	}
	if p.Overflow != nil {
		title += fmt.Sprintf(" (%d more together)", p.Overflow.Groups)
	}
	return visible(title)
}

// rows returns a panel as aligned text: a head and at most limit cells.
func (b board) rows(n, limit int) []string {
	p := b.schema[n]
	head := append([]string{"WINDOW", strings.ToUpper(strings.Join(p.GroupBy, " "))}, p.Columns...)
	for i := range head {
		head[i] = visible(head[i])
	}
	rows := [][]string{head}
	for i, c := range b.panel(n) {
		if i == limit {
			break
		}
		row := []string{c.window(p.Axis), visible(c.group())}
		for j, v := range c.values {
			row = append(row, visible(valueText(at(p.Columns, j), v)))
		}
		if !c.Final && p.Axis.Unit != wire.UnitNone {
			row[0] += " ~" // still open
		}
		rows = append(rows, row)
	}
	return align(rows)
}

// align pads columns: the first two are aligned left, numbers right.
func align(rows [][]string) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], lipgloss.Width(cell))
		}
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		var b strings.Builder
		for j, cell := range row {
			pad := strings.Repeat(" ", widths[j]-lipgloss.Width(cell))
			if j < 2 {
				b.WriteString(cell + pad + "  ")
			} else {
				b.WriteString(pad + cell + "  ")
			}
		}
		lines[i] = strings.TrimRight(b.String(), " ")
	}
	return lines
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}
