package smtpin

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"

	"plenary/internal/list/intake"
)

// Desk takes what the door lets in. Both methods may be called from many
// connections at once.
type Desk interface {
	// Accepts says at RCPT time whether mail for recipient is wanted: nil, or
	// a fault whose kind and text become the reply. ctx ends after 30 seconds
	// or with the connection's or the server's hard stop.
	Accepts(ctx context.Context, recipient string) error
	// Receive takes one message and returns only when its fate is on disk:
	// one Outcome per recipient, in the order of in.Recipients, which holds no
	// address twice. ctx does not end because the client went away; it ends
	// after Options.DeskTimeout, or 10 seconds after a hard stop.
	Receive(ctx context.Context, in intake.Incoming) []intake.Outcome
}

// Authenticator checks a name and a password (RFC 4954) and gives the address
// of the account they belong to. A wrong pair is any fault that is neither
// Temporary nor Internal.
type Authenticator interface {
	Authenticate(ctx context.Context, username, password string) (account string, err error)
}

// Options are the settings of one door: SMTP or LMTP, with any number of
// listeners.
type Options struct {
	Desk          Desk          // required
	Authenticator Authenticator // nil: no AUTH
	Hostname      string        // our name in greetings, and the domain of a bare RCPT TO:<postmaster> (RFC 5321 4.5.1)

	LMTP       bool // speak LMTP (RFC 2033): LHLO, and one reply per recipient after the message
	Submission bool // port 587 and 465 (RFC 6409): MAIL needs AUTH

	MaxMessageBytes int64 // octets of the message as stored, announced as SIZE (RFC 1870); 0: 32 MiB
	MaxRecipients   int   // per message; 0: 1000, less than 100 becomes 100 (RFC 5321 4.5.3.1.8)
	MaxConnections  int   // at the same time; 0: 500
	MaxPerIP        int   // at the same time from one IPv4 address or IPv6 /64; 0: 50; unix sockets are not counted
	MaxHeldBytes    int64 // octets of all messages in memory at the same time, shared among clients (budget.go); 0: 512 MiB or 4 messages, the greater

	TLSConfig         *tls.Config // for STARTTLS and ServeTLS; nil: no TLS
	AllowInsecureAuth bool        // AUTH without TLS from elsewhere than this machine

	ReadTimeout    time.Duration // for one command, and for each read inside a message; 0: 5 minutes (RFC 5321 4.5.3.2.7)
	WriteTimeout   time.Duration // for a client to take our replies; 0: 2 minutes
	SessionTimeout time.Duration // absolute: a connection that finished no message for so long is cut, busy or not; 0: 1 hour
	DeskTimeout    time.Duration // for Desk.Receive; 0: 5 minutes

	Logger *slog.Logger     // nil: slog.Default
	Now    func() time.Time // nil: time.Now
}

// filled gives o with its defaults.
func (o Options) filled() Options {
	if o.Hostname == "" {
		o.Hostname = "localhost"
	}
	orInt64(&o.MaxMessageBytes, defaultMessageBytes)
	orInt(&o.MaxRecipients, defaultRecipients)
	o.MaxRecipients = max(o.MaxRecipients, leastRecipients)
	orInt(&o.MaxConnections, defaultConnections)
	orInt(&o.MaxPerIP, defaultPerIP)
	orInt64(&o.MaxHeldBytes, max(512<<20, 4*o.MaxMessageBytes))
	orDuration(&o.ReadTimeout, defaultReadTimeout)
	orDuration(&o.WriteTimeout, defaultWriteTimeout)
	orDuration(&o.SessionTimeout, defaultSessionTimeout)
	orDuration(&o.DeskTimeout, defaultDeskTimeout)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func orInt(v *int, fallback int) {
	if *v <= 0 {
		*v = fallback
	}
}

func orInt64(v *int64, fallback int64) {
	if *v <= 0 {
		*v = fallback
	}
}

func orDuration(v *time.Duration, fallback time.Duration) {
	if *v <= 0 {
		*v = fallback
	}
}
