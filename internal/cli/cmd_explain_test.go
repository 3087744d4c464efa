package cli

import (
	"testing"
)

// TestExplainSaysWhoIsMeant: authentication as far as it is known, and each
// subscriber with a copy or without.
func TestExplainSaysWhoIsMeant(t *testing.T) {
	r := newRig(t)
	r.ok("list", "create", talk)
	r.ok("subscriber", "add", talk, "ann@example.org")
	r.ok("subscriber", "add", talk, "bo@example.net")
	r.ok("subscriber", "add", talk, "off@example.net", "--set", "delivery=off-by-subscriber")
	r.ok("subscriber", "add", talk, "away@example.net", "--set", "delivery=off-by-subscriber")
	r.ok("subscriber", "add", talk, "mod@example.net", "--role", "moderator")
	eml := r.file("post.eml", "DKIM-Signature: v=1; a=rsa-sha256; d=example.org;\n s=2026; b=abc\nARC-Seal: i=1; a=x\nAuthentication-Results: mx.example.org; dmarc=pass\n"+
		"From: Ann <ann@example.org>\nTo: "+talk+"\nSubject: hello\n\nHello there.\n")
	out := r.ok("explain", talk, eml)
	r.has(out, "verdict: accept\n",
		"authentication: nothing proves that the author wrote it; only a login at the submission door counts, SPF, DKIM, DMARC and ARC are not checked yet",
		"auth: none, not sent by a person who logged in; From says ann@example.org, which proves nothing",
		"dkim: unchecked, there is a signature of example.org (selector 2026)",
		"spf: unchecked, the reverse-path is <ann@example.org>",
		"dmarc: unchecked, the policy would be that of example.org",
		"arc: unchecked, 1 seals",
		"authentication-results: unchecked, there is a field in the name of mx.example.org, which is not believed",
		"recipients: 2 of 4 subscribers would get a copy\n  2 not: delivery is off\n")
	r.has(r.ok("explain", talk, eml, "-v"), "ann@example.org   yes", "off@example.net   no    delivery is off")
	r.has(r.ok("explain", talk, eml, "--account", "ann@example.org"), "authentication: the author is proved", "auth: pass, ann@example.org logged in")
	r.has(r.ok("explain", talk, eml, "--account", "bo@example.net"), "auth: fail, bo@example.net logged in, but From says ann@example.org")
	x := r.json("explain", talk, eml, "--account", "ann@example.org", "-v")[0]
	if x["verdict"] != "accept" || x["authenticated"] != true || x["recipients"] != 2.0 || x["subscribers"] != 4.0 ||
		x["spared"].(map[string]any)["delivery is off"] != 2.0 || len(x["people"].([]any)) != 4 || len(x["authentication"].([]any)) != 6 {
		t.Errorf("%v", x)
	}
	r.ok("list", "set", talk, "nonsubscriber-action=reject")
	stranger := r.file("stranger.eml", "From: eve@example.com\nTo: "+talk+"\nSubject: hello\n\nHello there.\n")
	r.has(r.ok("explain", talk, stranger), "verdict: reject", "dkim: none", "if it were accepted; as it is, nobody gets one")
	r.ok("list", "set", talk, "nonsubscriber-action=hold")
	r.has(r.ok("explain", talk, stranger), "verdict: hold", "would get a copy once a moderator releases it")
	r.fails(exitFailure, "not a usable e-mail address", "explain", talk, eml, "--account", "ann")
}
