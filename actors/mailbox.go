package actors

import (
	"runtime/debug"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// mailbox is the mailbox of a dashboard or a shard. The library's own mailbox reserves room for ten
// messages, a third of the memory of an idle actor. This one reserves none beyond the first
// message. System messages go first. It has no bound of its own: the shard's credit bounds it.
type mailbox struct {
	dispatcher actor.Dispatcher
	invoker    actor.MessageInvoker

	mu        sync.Mutex
	first     any   // next user message; nil: none
	more      []any // user messages behind first
	system    []any
	running   bool
	suspended bool
}

var _ actor.Mailbox = (*mailbox)(nil)

func newMailbox() actor.Mailbox { return &mailbox{} }

// RegisterHandlers implements actor.Mailbox.
func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, dispatcher actor.Dispatcher) {
	m.invoker, m.dispatcher = invoker, dispatcher
}

// Start implements actor.Mailbox.
func (m *mailbox) Start() {}

// UserMessageCount implements actor.Mailbox.
func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first == nil {
		return 0
	}
	return 1 + len(m.more)
}

// PostUserMessage implements actor.Mailbox.
func (m *mailbox) PostUserMessage(message any) {
	m.mu.Lock()
	if m.first == nil {
		m.first = message
	} else {
		m.more = append(m.more, message)
	}
	m.startAndUnlock()
}

// PostSystemMessage implements actor.Mailbox.
func (m *mailbox) PostSystemMessage(message any) {
	m.mu.Lock()
	m.system = append(m.system, message)
	m.startAndUnlock()
}

// startAndUnlock schedules the mailbox if it is not running.
func (m *mailbox) startAndUnlock() {
	start := !m.running
	m.running = true
	m.mu.Unlock()
	if start {
		m.dispatcher.Schedule(m.run)
	}
}

// run processes messages until there are none, or until the mailbox has used its turn. Then the
// waiting mailboxes run first: a dashboard whose records come as fast as it folds them always has
// messages.
func (m *mailbox) run() {
	for range m.dispatcher.Throughput() {
		message, system := m.pop()
		if message == nil {
			return
		}
		m.process(message, system)
	}
	m.dispatcher.Schedule(m.run)
}

// pop takes the next message; nil: there is none.
func (m *mailbox) pop() (message any, system bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.system) > 0 {
		message = m.system[0]
		m.system[0] = nil
		if m.system = m.system[1:]; len(m.system) == 0 {
			m.system = nil
		}
		return message, true
	}
	if m.first == nil || m.suspended {
		m.running = false
		return nil, false
	}
	message, m.first = m.first, nil
	if len(m.more) > 0 {
		m.first, m.more[0] = m.more[0], nil
		if m.more = m.more[1:]; len(m.more) == 0 {
			m.more = nil
		}
	}
	return message, false
}

func (m *mailbox) process(message any, system bool) {
	defer func() {
		if reason := recover(); reason != nil {
			m.invoker.EscalateFailure(caught{reason, debug.Stack()}, message)
		}
	}()
	if !system {
		m.invoker.InvokeUserMessage(message)
		return
	}
	switch message.(type) {
	case *actor.SuspendMailbox:
		m.suspend(true)
	case *actor.ResumeMailbox:
		m.suspend(false)
	default:
		m.invoker.InvokeSystemMessage(message)
	}
}

func (m *mailbox) suspend(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.suspended = on
}
