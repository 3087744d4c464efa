package imapd

import "time"

// The limits of the door, with the minimum the RFC demands beside each. Those
// an operator may want to change are Options; these are their defaults.
const (
	defaultConnections = 4000
	defaultYearsFrom   = 50000 // clients take minutes to open a folder of 100,000 for the first time
	defaultPerIP       = 40    // mail clients keep five and more connections each

	maxPerPerson = 60 // connections of one account at the same time; no RFC minimum

	maxTag        = 128      // octets; no RFC minimum
	maxLine       = 48 << 10 // octets of one command, literals folded in; RFC 2683 3.2.1.5: at least 8,000; go-imap stops at 50 KiB
	maxLiteral    = 4096     // octets of a literal within a command: names, search words, credentials; RFC 7888 4: 4,096 for LITERAL-
	maxDiscard    = 64 << 20 // octets of a refused non-synchronising literal that are read away; RFC 7888 4 allows to disconnect
	maxStranger   = 64 << 10 // the same before login
	maxMistakes   = 20       // commands in a row we could not make sense of, per connection
	maxNonsense   = 5        // the same before login: a browser that was made to talk to us is cut off
	maxBefore     = 100      // commands before login, per connection; no RFC minimum
	maxSearchKeys = 1000     // keys in one SEARCH; no RFC minimum
	maxPatterns   = 20       // patterns in one LIST (RFC 5258); no RFC minimum
	maxPattern    = 512      // octets of one of them
	maxItems      = 100      // sections in one FETCH
	maxKeyword    = 64       // octets of a keyword; no RFC minimum
	maxKeywords   = 50       // keywords of one person on one list; RFC 9051 7.1 leaves the number open
	maxInflated   = 1 << 20  // octets a client may send packed, however well; RFC 4978 sets no minimum
	maxRatio      = 100      // and beyond, for each octet on the wire; DEFLATE makes 1032 at best
	maxTail       = 8 << 10  // octets of responses that the next ones are packed with
	maxPending    = 1000     // held posts shown of one list; no RFC minimum
	maxDecisions  = 200      // held posts decided by one command
	maxFailures   = 5        // refused logins per connection; RFC 9051 11.7 asks for a limit
	maxPerNetwork = 30       // refused logins per address in the window, over all connections
	maxNetworks   = 10000    // addresses whose failures are remembered

	nearby = 2 * time.Millisecond // the way to a client and back over which nothing is packed smaller (RFC 4978)

	flushAt = 64 << 10 // octets of responses gathered before they are written
	batch   = 256      // messages whose light rows are fetched at once
)

// The times of the door. Tests shorten them; nobody else needs to.
type times struct {
	handshake time.Duration // TLS; no RFC minimum
	stranger  time.Duration // waiting for a command before login; RFC 9051 5.4 binds only after login
	entry     time.Duration // from connecting to being logged in; no RFC minimum
	command   time.Duration // waiting for a command after login; RFC 9051 5.4: at least 30 minutes
	rest      time.Duration // from the first octet of a command to its end
	write     time.Duration // for a client to take one buffer of responses
	failure   time.Duration // pause after a refused login
	window    time.Duration // how long refused logins of an address count
	login     time.Duration // for one question to Auth
	search    time.Duration // for one SEARCH
	access    time.Duration // how long the right to read a list is believed
	look      time.Duration // how often an idle session looks without being woken
	turnAway  time.Duration // to hand a BYE to a client that is not let in
}

func usualTimes() times {
	return times{
		handshake: 15 * time.Second,
		stranger:  time.Minute,
		entry:     5 * time.Minute,
		command:   35 * time.Minute,
		rest:      2 * time.Minute,
		write:     time.Minute,
		failure:   2 * time.Second,
		window:    10 * time.Minute,
		login:     20 * time.Second,
		search:    time.Minute,
		access:    time.Second,
		look:      20 * time.Second,
		turnAway:  time.Second,
	}
}
