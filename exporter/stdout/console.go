package stdout

import (
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// How much of what people see: a record may hold thousands of times as much.
const (
	maxWord     = 128 // columns of an id, an action, a key
	maxText     = 240 // columns of a name, a reason
	maxValue    = 100 // columns of a value
	maxRoles    = 4
	maxChain    = 3
	maxChanges  = 24
	maxMetadata = 24
	maxRelated  = 8
	maxAltered  = 8
	maxField    = 24  // columns to which the fields of changes are aligned
	wrapAt      = 110 // columns after which a list goes on in a new line
)

// indent is that of what follows an activity's first line: where "who" begins.
const indent = 16

// console is the form for people.
type console struct {
	colour                       bool
	lines                        lines  // for what is no activity
	day                          string // of the last activity written
	who, action, target, outcome column
}

func newConsole(colour bool) *console {
	return &console{
		colour:  colour,
		who:     column{14, 36},
		action:  column{14, 28},
		target:  column{12, 32},
		outcome: column{7, 7},
	}
}

func (c *console) restart() { c.day = "" }

func (c *console) append(dst []byte, lr *sdklog.Record) []byte {
	r, err := otelaudit.ParseRecord(lr, attribute.Set{})
	if err != nil {
		return c.lines.append(dst, lr)
	}
	l := line{dst: dst, colour: c.colour}
	if day := r.Time.Format("2006-01-02"); day != c.day {
		c.day = day
		l.put(dim, day+" UTC")
		l.end()
	}
	mark, outcome, look := outcomeOf(r.Outcome)
	l.put(dim, r.Time.Format("15:04:05.000"))
	l.space(2)
	if mark == "" {
		l.space(1)
	} else {
		l.put(look, mark)
	}
	l.space(1)
	l.stop = indent
	l.column(&c.who, func() { l.actor(&r.Actor) })
	l.column(&c.action, func() { l.word(cyan, r.Action) })
	l.column(&c.target, func() { l.aim(&r.Target) })
	l.column(&c.outcome, func() { l.put(look, outcome) })
	if r.Reason != "" {
		l.quote(plain, r.Reason, maxText)
		l.space(2)
	}
	if saysMore(r.ErrorType) {
		l.put(dim, "error ")
		l.word(look, r.ErrorType)
	}
	l.end()
	l.changes(r.Changes)
	l.list("also", len(r.Related), maxRelated, func(i int) { l.aim(&r.Related[i]) })
	l.list("with", len(r.Metadata), maxMetadata, func(i int) {
		l.word(dim, string(r.Metadata[i].Key))
		l.put(dim, "=")
		l.value(plain, r.Metadata[i].Value)
	})
	l.list("altered", len(r.Sanitized), maxAltered, func(i int) {
		l.word(yellow, r.Sanitized[i].Field)
		l.put(dim, " (")
		l.word(dim, string(r.Sanitized[i].Reason))
		l.put(dim, ")")
	})
	return l.dst
}

// outcomeOf returns the mark in front of the line, the word, and their style. What did not succeed is told apart by both,
// without colour too.
func outcomeOf(o otelaudit.Outcome) (mark, word string, look style) {
	switch o {
	case otelaudit.Success:
		return "", "success", green
	case otelaudit.Denied:
		return "✗", "DENIED", alarm
	case otelaudit.Failure:
		return "!", "FAILURE", alarm
	default:
		return "?", "unknown", yellow
	}
}

// saysMore reports whether an error's type tells a person anything.
func saysMore(errorType string) bool {
	switch errorType {
	case "", "denied", "*errors.errorString", "*fmt.wrapError", "*errors.joinError":
		return false
	}
	return true
}

// actor writes who acts, and for whom.
func (l *line) actor(a *otelaudit.Actor) {
	l.party(bold, a)
	for n, a := 1, a.OnBehalfOf; a != nil; n, a = n+1, a.OnBehalfOf {
		l.put(dim, " for ")
		if n > maxChain {
			l.put(plain, string(ellipsis))
			return
		}
		l.party(plain, a)
	}
}

func (l *line) party(look style, a *otelaudit.Actor) {
	switch a.Type {
	case otelaudit.ActorAnonymous, otelaudit.ActorUnknown:
		l.put(yellow, string(a.Type))
	case otelaudit.ActorUser:
		l.word(look, a.ID)
	default:
		l.put(dim, string(a.Type)+" ")
		l.word(look, a.ID)
	}
	if a.Name != "" {
		l.space(1)
		l.quote(plain, a.Name, maxText)
	}
	for i, role := range a.Roles {
		switch i {
		case 0:
			l.put(dim, " (")
		case maxRoles:
			l.put(dim, ", "+string(ellipsis)+")")
			return
		default:
			l.put(dim, ", ")
		}
		l.word(dim, role)
	}
	if len(a.Roles) > 0 {
		l.put(dim, ")")
	}
}

// aim writes a target.
func (l *line) aim(t *otelaudit.Target) {
	if t.Type != "" {
		l.word(plain, t.Type)
	}
	if t.ID != "" {
		if t.Type != "" {
			l.put(dim, "/")
		}
		l.word(bold, t.ID)
	}
	if t.Name != "" {
		if t.Type != "" || t.ID != "" {
			l.space(1)
		}
		l.quote(plain, t.Name, maxText)
	}
}

// changes writes a line for each changed field: + where there was nothing before, - where there is nothing now.
func (l *line) changes(changes otelaudit.Changes) {
	more := len(changes) - maxChanges
	if more > 0 {
		changes = changes[:maxChanges]
	}
	names := column{most: maxField}
	for _, ch := range changes {
		measure := line{}
		measure.word(plain, ch.Field)
		names.fit(measure.at + 1)
	}
	for _, ch := range changes {
		created, deleted := ch.Old.Type() == attribute.EMPTY, ch.New.Type() == attribute.EMPTY
		l.space(indent)
		switch {
		case created == deleted:
			l.space(2)
		case created:
			l.put(green, "+ ")
		case deleted:
			l.put(red, "- ")
		}
		begin := l.at + l.pending
		l.word(plain, ch.Field)
		l.put(dim, ":")
		l.space(max(names.width-(l.at-begin), 0) + 1)
		if !created || deleted {
			l.value(red, ch.Old)
		}
		if created == deleted {
			l.put(dim, " → ")
		}
		if !deleted || created {
			l.value(green, ch.New)
		}
		l.end()
	}
	if more > 0 {
		l.space(indent + 2)
		l.put(dim, fmt.Sprintf("%c and %d more", ellipsis, more))
		l.end()
	}
}
