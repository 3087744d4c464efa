// Package fault gives errors a kind, a text that strangers may read, and a
// detail that only the log sees.
//
// Services return fault errors; each door holds one table from Kind to its own
// replies (SMTP, HTTP, IMAP, exit codes). An error that is not a fault is
// Internal: its text never reaches a peer. A verdict about a post is not an
// error and does not travel this way.
package fault

import (
	"errors"
	"fmt"
)

// Kind says what sort of thing went wrong, in terms every door understands.
type Kind uint8

// The kinds. The zero value is Internal, the safe assumption.
const (
	Internal        Kind = iota // a defect or an unknown failure of ours
	Temporary                   // try again later: database away, overload
	StorageFull                 // no room to keep what was offered
	Invalid                     // the caller's input does not make sense
	NotFound                    // there is no such thing
	Conflict                    // it exists already, or was decided already
	Forbidden                   // understood, not allowed
	Unauthenticated             // who are you
	TooLarge                    // beyond a size limit
	TooMany                     // beyond a count or rate limit
	Expired                     // it was good once: a token, a request
)

var kindNames = [...]string{"internal", "temporary", "storage-full", "invalid", "not-found", "conflict",
	"forbidden", "unauthenticated", "too-large", "too-many", "expired"}

// String names the kind for logs.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Error is an error with a kind, a safe text and, for the log, its cause.
type Error struct {
	Kind  Kind
	Text  string // one sentence a stranger may read; never empty
	Cause error  // for the log only; may be nil
}

// Error gives the full text for the log: safe text and cause.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Text
	}
	return e.Text + ": " + e.Cause.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes an error without a cause; format and args make the safe text.
func New(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// Wrap gives cause a kind and a safe text. A nil cause gives nil.
func Wrap(kind Kind, cause error, format string, args ...any) error {
	if cause == nil {
		return nil
	}
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...), Cause: cause}
}

// KindOf finds the kind of err, looking through wrapped errors. An error that
// is no fault is Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is a fault of this kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// Text gives the sentence a stranger may read. Errors that are no faults all
// read the same: nothing of their detail leaks.
func Text(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Text
	}
	return "something went wrong on our side, please try again later"
}
