package smtpin

import "time"

// The limits of the door, with the minimum the RFC demands beside each. Those
// an operator may want to change are Options; these are their defaults.
const (
	defaultMessageBytes = 32 << 20 // RFC 5321 4.5.3.1.7: at least 64 KB
	defaultRecipients   = 1000     // RFC 5321 4.5.3.1.8: at least 100
	leastRecipients     = 100      // a smaller setting is raised to this
	defaultConnections  = 500
	defaultPerIP        = 50

	maxLine      = 16 << 10  // RFC 5321 4.5.3.1.4: 512 and the extensions' share; RFC 4954 4: 12,288 for AUTH
	maxReplyLine = 512       // RFC 5321 4.5.3.1.5: at most 512 with CRLF
	maxLocalPart = 256       // RFC 5321 4.5.3.1.1: at least 64; forwarders' rewritten addresses are longer
	maxDomain    = 255       // RFC 5321 4.5.3.1.2: at least 255
	maxHelo      = 255       // RFC 5321 4.5.3.1.2
	maxChunk     = 1<<32 - 1 // RFC 3030 2: no minimum; what go-smtp can count
	maxReplies   = 4 << 20   // octets of replies to one command: LMTP answers once per recipient

	firstBuffer  = 4 << 10   // most posts are small
	doubleUpTo   = 1 << 20   // a larger buffer grows by a quarter
	smallMessage = 256 << 10 // has room of its own in the budget
	leastPace    = 60 << 10  // octets a message must bring while memory is short; no RFC minimum
	paceOver     = time.Minute
	tellEach     = time.Minute // the log, of messages refused for want of memory

	maxAuthFailures = 5   // RFC 4954 4: no minimum
	maxRefused      = 50  // refused RCPTs per connection; RFC 5321 7.3 allows to disconnect
	maxMistakes     = 20  // commands we could not make sense of, per connection
	maxIdleCommands = 200 // commands without a message, recipients not counted

	defaultReadTimeout    = 5 * time.Minute  // RFC 5321 4.5.3.2.7: at least 5 minutes
	defaultWriteTimeout   = 2 * time.Minute  // RFC 5321 names no minimum for replies
	defaultSessionTimeout = time.Hour        // without a finished message; RFC 5321 4.5.3.2.6 makes clients wait 10 minutes
	defaultDeskTimeout    = 5 * time.Minute  // RFC 5321 4.5.3.2.6: the client waits 10 minutes for the final reply
	handshakeTimeout      = 30 * time.Second // no RFC minimum
	lookupTimeout         = 30 * time.Second // RCPT and AUTH; RFC 5321 4.5.3.2.3: the client waits 5 minutes
	turnAwayTimeout       = time.Second      // to hand a 421 to a client that is not let in
	commitGrace           = 10 * time.Second // after a hard stop, for messages being committed
	farewellGrace         = 2 * time.Second  // after that, for goroutines to end
)
