package smtpout_test

import (
	"strings"
	"testing"
	"time"

	"plenary/internal/outbound/smtpout"
)

// yes are the replies to RSET, MAIL and RCPT.
const yes = "250 reset\r\n250 mail\r\n250 rcpt"

// atOnce is what a peer sends in one write; the client may be gone before it reads
// all.
func atOnce(lines ...string) string { return "raw> " + strings.Join(lines, "\r\n") + "\r\n" }

func TestDialogues(t *testing.T) {
	piped := hello("PIPELINING", "8BITMIME", "SIZE 100000")
	window := hello("PIPELINING", "CHUNKING", "SIZE 0")
	slow := hello("8BITMIME")
	env := []string{"c< MAIL FROM:<talk-bounces+1@example.org>", "c< RCPT TO:<p", "c< DATA"}
	ok := []string{"s> 250 2.1.0 ok", "s> 250 2.1.5 ok", "s> 354 go on"}
	bdat := []string{"c< RSET", "c< MAIL FROM:<talk-bounces+1@example.org>", "c< RCPT TO:<p", "c< BDAT 37 LAST", "c< ...", "c< text"}
	four := []string{"s> 250 reset", "s> 250 mail", "s> 250 rcpt", "s> 250 2.0.0 queued"}
	join := func(parts ...any) dialogue {
		var d dialogue
		for _, p := range parts {
			switch p := p.(type) {
			case dialogue:
				d = append(d, p...)
			case []string:
				d = append(d, p...)
			case string:
				d = append(d, p)
			}
		}
		return d
	}
	end := []string{"c< ...", "c< ."}
	early := func(extension, rest string) dialogue { // more than the reply to EHLO, in one write
		return dialogue{"s> 220 peer", "c< EHLO", "raw> 250-peer\r\n250-" + extension + "\r\n" + rest}
	}
	for _, c := range []struct {
		name string
		d    dialogue
		n    int
		want string
		err  string // part of Run's error, empty: none
	}{
		{"the next envelope comes with the end of a message", join(piped, env, ok, end, env, "s> 250 2.0.0 first", ok, end, "s> 250 2.0.0 second", "c< QUIT"), 2, "ok 250, ok 250", ""},
		{"a window of messages without a reply", join(window, bdat, bdat, bdat, four, four, four, "c< QUIT"), 3, "ok 250, ok 250, ok 250", ""},
		{"without PIPELINING every command waits", join(slow, env[0], ok[0], env[1], ok[1], env[2], ok[2], end, "s> 250 yes", env[0], ok[0], env[1], ok[1], env[2], ok[2], end, "s> 250 yes", "c< QUIT"), 2, "ok 250, ok 250", ""},
		{"without PIPELINING a refusal is followed by RSET", join(slow, env[0], ok[0], env[1], "s> 550 5.1.1 who", "c< RSET", "s> 250 ok", env[0], ok[0], env[1], ok[1], env[2], ok[2], end, "s> 250 yes", "c< QUIT"), 2, "permanent 550, ok 250", ""},
		{"a refused recipient and a willing DATA get a lone dot", join(piped, env, ok[0], "s> 550 5.1.1 who", ok[2], "c< .", "s> 554 nobody", env, ok, end, "s> 250 yes", "c< QUIT"), 2, "permanent 550, ok 250", ""},
		{"a refused recipient and a refused DATA get RSET", join(piped, env, ok[0], "s> 450 4.2.0 later", "s> 554 nobody", "c< RSET", env, "s> 250 ok", ok, end, "s> 250 yes", "c< QUIT"), 2, "temporary 450, ok 250", ""},
		{"too many recipients is temporary", join(piped, env, ok[0], "s> 552 5.5.3 too many", "s> 503 nobody", "c< QUIT"), 1, "temporary 552", ""},
		{"a refused sender", join(piped, env, "s> 550 5.7.1 not you", "s> 503 no", "s> 503 no", "c< QUIT"), 1, "permanent 550", ""},
		{"a refused DATA", join(piped, env, ok[0], ok[1], "s> 452 4.3.1 full", "c< QUIT"), 1, "temporary 452", ""},
		{"a refused message", join(piped, env, ok, end, env, "s> 554 5.6.0 bad", ok, end, "s> 250 yes", "c< QUIT"), 2, "permanent 554, ok 250", ""},
		{"a refused recipient in a window", join(window, bdat, bdat, four[0], four[1], "s> 550 5.1.1 who", "s> 554 nobody", four, "c< QUIT"), 2, "permanent 550, ok 250", ""},
		{"a refused message in a window", join(window, bdat, bdat, four[0], four[1], four[2], "s> 451 4.3.0 later", four, "c< QUIT"), 2, "temporary 451, ok 250", ""},
		{"421 on a fresh connection is the letter's", join(piped, env, "s> 421 4.3.2 down", "x"), 2, "temporary 421, unsent", "421"},
		{"421 after a letter is nobody's", join(piped, env, ok, end, env, "s> 250 yes", "s> 421 4.7.0 enough", "x"), 3, "ok 250, unsent, unsent", "421"},
		{"421 after the end of a message is that message's", join(piped, env, ok, end, env, "s> 421 4.3.0 oh", "x"), 3, "temporary 421, unsent, unsent", "421"},
		{"421 in a window", join(window, bdat, bdat, bdat, four, "s> 421 4.3.2 down", "x"), 3, "ok 250, unsent, unsent", "421"},
		{"the end of a message without an answer", join(piped, env, ok, end, env, "x"), 3, "temporary lost, unsent, unsent", "EOF"},
		{"a window without an answer", join(window, bdat, bdat, bdat, four, four[0], "x"), 3, "ok 250, temporary lost, temporary lost", "EOF"},
		{"a connection that ends at the first envelope", join(piped, env, "x"), 2, "temporary, unsent", "EOF"},
		{"a connection that ends at a later envelope", join(piped, env, ok, end, env, "s> 250 yes", "x"), 2, "ok 250, unsent", "EOF"},
		{"a code that is none", join(piped, env, "s> 2x0 what"), 1, "temporary", "does not speak SMTP"},
		{"replies of two minds", join(piped, env, "s> 250-yes", "s> 550 no"), 1, "temporary", "does not speak SMTP"},
		{"a reply without end", join(piped, env, "raw> "+strings.Repeat("250-on and on\r\n", 200)), 1, "temporary", "without end"},
		{"a line without end", join(piped, env, "raw> 250 "+strings.Repeat("x", 20_000)), 1, "temporary", "without end"},
		{"BDAT offered and not known", join(window, bdat, bdat, four[0], four[1], four[2], "s> 502 5.5.1 what"), 2, "temporary 502, temporary lost", "BDAT"},
		{"BDAT refused in mid-window, by a peer that reads on", join(window, bdat, bdat, bdat, four, four[0], four[1], "s> 550 5.1.1 who", "s> 503 5.5.1 no recipients", "s> 500 what", "s> 500 what"), 3, "ok 250, permanent 550, temporary lost", "RSET"},
		{"a reply to nothing", early("PIPELINING", "250-CHUNKING\r\n250 HELP\r\n250 once more\r\n"), 2, "unsent, unsent", "nobody had asked"},
		{"a reply to nothing, by DATA", early("PIPELINING", "250 HELP\r\n250 once more\r\n"), 2, "unsent, unsent", "nobody had asked"},
		{"421 before a command", early("8BITMIME", "250 HELP\r\n421 4.3.2 going down\r\n"), 2, "unsent, unsent", "421"},
		{"DATA answered 250", join(slow, env[0], ok[0], env[1], ok[1], env[2], ok[0]), 2, "temporary, unsent", "DATA was answered 250"},
		{"DATA answered 250 later", join(slow, env[0], ok[0], env[1], ok[1], env[2], ok[2], end, "s> 250 yes", env[0], ok[0], env[1], ok[1], env[2], ok[0]), 3, "ok 250, unsent, unsent", "DATA was answered 250"},
		{"DATA answered 334", join(slow, env[0], ok[0], env[1], ok[1], env[2], "s> 334 go on"), 2, "temporary, unsent", "DATA was answered 334"},
		{"RCPT answered twice", join(slow, env[0], ok[0], env[1], ok[1], ok[1], env[2], ok[2]), 2, "temporary, unsent", "DATA was answered 250"},
		{"RCPT answered 354", join(slow, env[0], ok[0], env[1], ok[2]), 2, "temporary, unsent", "RCPT was answered 354"},
		{"RCPT answered twice, with PIPELINING", join(piped, env, ok[0], ok[1], ok[1], ok[2]), 2, "temporary, unsent", "DATA was answered 250"},
		{"RCPT refused and DATA answered 250", join(piped, env, ok[0], "s> 550 5.1.1 who", ok[0]), 2, "temporary, unsent", "DATA was answered 250"},
		{"a refused recipient, and the end", join(piped, env, ok[0], "s> 550 5.1.1 who", "x"), 2, "permanent 550, unsent", "EOF"},
		{"a refused recipient, and 421", join(piped, env, ok[0], "s> 550 5.1.1 who", "s> 421 4.7.0 too many errors", "x"), 2, "permanent 550, unsent", "421"},
		{"a refused sender, and the end", join(piped, env, "s> 553 5.7.1 not you", "x"), 2, "permanent 553, unsent", "EOF"},
		{"a refused recipient behind a letter, and 421", join(piped, env, ok, end, env, "s> 250 yes", ok[0], "s> 550 5.1.1 who", "s> 421 4.7.0 too many errors", "x"), 3, "ok 250, permanent 550, unsent", "421"},
		{"a refused recipient and a lone dot, and 421", join(piped, env, ok[0], "s> 550 5.1.1 who", ok[2], "c< .", "s> 421 4.7.0 too many errors", "x"), 2, "permanent 550, unsent", "421"},
		{"a refused recipient, RSET, and 421", join(piped, env, ok[0], "s> 550 5.1.1 who", "s> 554 nobody", "c< RSET", env, "s> 421 4.7.0 too many errors", "x"), 2, "permanent 550, unsent", "421"},
		{"without PIPELINING a refused recipient, RSET, and 421", join(slow, env[0], ok[0], env[1], "s> 550 5.1.1 who", "c< RSET", "s> 421 4.7.0 too many errors", "x"), 2, "permanent 550, unsent", "421"},
		{"without PIPELINING a refused recipient, and the end", join(slow, env[0], ok[0], env[1], "s> 550 5.1.1 who", "c< RSET", "x"), 2, "permanent 550, unsent", "EOF"},
		{"a refused recipient in a window, and 421", join(window, bdat, bdat, four[0], four[1], "s> 550 5.1.1 who", "s> 421 4.7.0 too many errors", "x"), 2, "permanent 550, unsent", "421"},
		{"a refused sender in a window, and the end", join(window, bdat, bdat, four, four[0], "s> 553 5.7.1 not you", "x"), 2, "ok 250, permanent 553", "EOF"},
		{"too many recipients in a window, and 421", join(window, bdat, bdat, bdat, four, four[0], four[1], "s> 452 4.5.3 too many recipients", "s> 421 4.7.0 bye", "x"), 3, "ok 250, unsent, unsent", "421"},
		{"the first message of a window answered twice, the others refused", join(window, bdat, bdat, bdat, bdat, four, atOnce("250 2.0.0 queued again", yes, "554 no", yes, "554 no", yes, "554 no")), 4,
			"ok 250, ok 250, temporary lost, temporary lost", "RSET was answered 554"},
		{"a window out of step by a 354", join(window, bdat, bdat, bdat, four, four[0], atOnce("354 go on", yes)), 3, "ok 250, temporary lost, temporary lost", "MAIL was answered 354"},
		{"RSET refused", join(piped, env, ok[0], "s> 550 5.1.1 who", "s> 554 nobody", "c< RSET", env, atOnce("554 no", yes)), 3, "permanent 550, unsent, unsent", "RSET was answered 554"},
		{"without PIPELINING RSET refused", join(slow, env[0], ok[0], env[1], "s> 550 5.1.1 who", "c< RSET", "s> 550 no"), 3, "permanent 550, unsent, unsent", "RSET was answered 550"},
		{"bare codes", join(piped, env, "s> 250", "s> 250", "s> 354", end, "s> 250", "c< QUIT"), 1, "ok 250", ""},
		{"lower-case extensions", join(hello("pipelining", "chunking"), bdat, bdat, four, four, "c< QUIT"), 2, "ok 250, ok 250", ""},
		{"a peer that knows HELO only", join([]string{"s> 220 old", "c< EHLO", "s> 502 what", "c< HELO lists.example.org", "s> 250 hi"}, env[0], ok[0], env[1], ok[1], env[2], ok[2], end, "s> 250 yes", "c< QUIT"), 1, "ok 250", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			results, err := send(t, relay(peer(t, c.d)), plainLetters(c.n))
			if got := brief(results); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("ended with %v, want %q", err, c.err)
			}
		})
	}
}

// TestCHUNKINGThatIsNone: a peer that offers CHUNKING and does not know BDAT gets
// everything by DATA, and no letter waits for the next try.
func TestCHUNKINGThatIsNone(t *testing.T) {
	window := hello("PIPELINING", "CHUNKING")
	first := window.and("c< RSET", "c< MAIL", "c< RCPT", "c< BDAT", "s> 250 reset", "s> 250 mail", "s> 250 rcpt", "s> 502 5.5.1 what", "x")
	second := window.and("c< MAIL", "c< RCPT", "c< DATA", "s> 250 ok", "s> 250 ok", "s> 354 go on", "c< ...", "c< .", "s> 250 yes", "c< QUIT")
	r := relay(peer(t, first, second))
	r.Known = &smtpout.Known{}
	if results, err := send(t, r, plainLetters(2)); brief(results) != "unsent, unsent" || err == nil {
		t.Errorf("%s, %v", brief(results), err)
	}
	if results, err := send(t, r, plainLetters(1)); brief(results) != "ok 250" || err != nil {
		t.Errorf("%s, %v", brief(results), err)
	}
}

// TestRefusalsMakeTheWindowSmall: a peer that closes after some refusals has at most
// one letter that may have arrived, until it takes letters again.
func TestRefusalsMakeTheWindowSmall(t *testing.T) {
	one := []string{"c< RSET", "c< MAIL", "c< RCPT", "c< BDAT 37 LAST", "c< ...", "c< text"}
	no, ok := atOnce(yes[:len(yes)-len("250 rcpt")]+"550 5.1.1 who", "554 nobody"), atOnce(yes, "250 queued")
	d := hello("PIPELINING", "CHUNKING").and(one...).and(one...).and(no, no).and(one...).and(no).and(one...).and(ok)
	d = d.and(one...).and(one...).and(ok, no).and(one...).and("x") // it is not answered, and the last was not sent
	r := relay(peer(t, d))
	r.Window = 2
	results, err := send(t, r, plainLetters(8))
	if got := brief(results); err == nil || got != "permanent 550, permanent 550, permanent 550, ok 250, ok 250, permanent 550, temporary lost, unsent" {
		t.Errorf("%s, %v", got, err)
	}
}

// TestAWindowOutOfStep: a peer that answers a message twice gets the next ones by
// DATA, where an answer too many is seen before a refusal is taken for a yes.
func TestAWindowOutOfStep(t *testing.T) {
	window := hello("PIPELINING", "CHUNKING")
	one := []string{"c< RSET", "c< MAIL", "c< RCPT", "c< BDAT", "c< ...", "c< text"}
	first := window.and(one...).and(one...).and(one...).and(atOnce(yes, "250 queued", "250 queued again", yes, "554 no", yes, "554 no"))
	second := window.and("c< MAIL", "c< RCPT", "c< DATA", "s> 250 ok", "s> 250 ok", "s> 354 go on", "c< ...", "c< .", "s> 250 yes", "c< QUIT")
	r := relay(peer(t, first, second))
	r.Known = &smtpout.Known{}
	if results, err := send(t, r, plainLetters(3)); results[2].State.String() != "temporary" || err == nil {
		t.Errorf("%s, %v", brief(results), err)
	}
	if results, err := send(t, r, plainLetters(1)); brief(results) != "ok 250" || err != nil {
		t.Errorf("%s, %v", brief(results), err)
	}
}

// TestPIPELININGThatIsNone: a peer that throws away what came with the end of a
// message costs one wait, not one for each letter.
func TestPIPELININGThatIsNone(t *testing.T) {
	for name, first := range map[string]dialogue{
		"behind a message": hello("PIPELINING").and("c< MAIL", "c< RCPT", "c< DATA", "s> 250 ok", "s> 250 ok", "s> 354 go on", "c< ...", "c< .",
			"c< MAIL", "c< RCPT", "c< DATA", "s> 250 yes", "hold"),
		"in front of one": hello("PIPELINING").and("c< MAIL", "c< RCPT", "c< DATA", "s> 250 ok", "hold"),
		"a window":        hello("PIPELINING", "CHUNKING").and("c< RSET", "s> 250 ok", "c< MAIL", "s> 250 ok", "c< RCPT", "hold"),
	} {
		t.Run(name, func(t *testing.T) {
			one := []string{"c< MAIL", "s> 250 ok", "c< RCPT", "s> 250 ok", "c< DATA", "s> 354 go on", "c< ...", "c< .", "s> 250 yes"}
			r := relay(peer(t, first, hello("PIPELINING", "CHUNKING").and(one...).and(one...).and("c< QUIT")))
			r.Known, r.Timeouts = &smtpout.Known{}, smtpout.Timeouts{Command: 200 * time.Millisecond}
			if results, err := send(t, r, plainLetters(2)); err == nil {
				t.Errorf("%s, %v", brief(results), err)
			}
			r.Timeouts = smtpout.Timeouts{}
			if results, err := send(t, r, plainLetters(2)); brief(results) != "ok 250, ok 250" || err != nil {
				t.Errorf("%s, %v", brief(results), err)
			}
		})
	}
}

func TestConnectFails(t *testing.T) {
	for _, c := range []struct {
		name string
		d    dialogue
		err  string
	}{
		{"a greeting that refuses", dialogue{"s> 554 go away"}, "554 go away"},
		{"a greeting that is busy", dialogue{"s> 421 4.3.2 busy"}, "421"},
		{"no greeting", dialogue{"x"}, "no greeting"},
		{"garbage", dialogue{"s> SSH-2.0-OpenSSH"}, "does not speak SMTP"},
		{"EHLO refused for now", dialogue{"s> 220 x", "c< EHLO", "s> 450 4.7.1 later"}, "450"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := relay(peer(t, c.d)).Connect(t.Context()); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v, want %q", err, c.err)
			}
		})
	}
}

func TestRelayCheck(t *testing.T) {
	for _, r := range []smtpout.Relay{
		{Addr: "relay.example.org", Hello: "a"}, {Addr: ":25", Hello: "a"}, {Addr: "a:25"}, {Addr: "a:25", Hello: "a b"},
		{Addr: "a:25", Hello: "a", TLS: "maybe"},
	} {
		if r.Check() == nil {
			t.Errorf("%+v is taken", r)
		}
	}
}

// TestPeerStopsReading: neither a peer that reads no more nor one that says no
// more holds a connection for ever.
func TestPeerStopsReading(t *testing.T) {
	env := dialogue{"c< MAIL", "s> 250 ok", "c< RCPT", "s> 250 ok", "c< DATA", "s> 354 go on", "hold"}
	for _, d := range []dialogue{
		hello("PIPELINING").and(env...), hello().and(env...), hello("PIPELINING", "CHUNKING").and("hold"),
		hello("PIPELINING").and("hold"), hello().and("hold"),
	} {
		r := relay(peer(t, d))
		short := 50 * time.Millisecond
		r.Timeouts = smtpout.Timeouts{Block: short, Command: short, End: short, Data: short}
		big := strings.Repeat(strings.Repeat("x", 998)+"\r\n", 20_000)
		results, err := send(t, r, letters{letter("p0@example.net", "Subject: x\r\n\r\n", big)})
		if err == nil || results[0].State.String() != "temporary" {
			t.Errorf("%s, %v", brief(results), err)
		}
	}
}

// TestTimeouts: no wait is shorter than RFC 5321 4.5.3.2 wants it.
func TestTimeouts(t *testing.T) {
	d := smtpout.DefaultTimeouts()
	for name, c := range map[string]struct{ have, least time.Duration }{
		"greeting": {d.Greeting, 5 * time.Minute}, "MAIL, RCPT": {d.Command, 5 * time.Minute}, "DATA": {d.Data, 2 * time.Minute},
		"a block of data": {d.Block, 3 * time.Minute}, "the end of the data": {d.End, 10 * time.Minute},
	} {
		if c.have < c.least {
			t.Errorf("%s: %s", name, c.have)
		}
	}
}
