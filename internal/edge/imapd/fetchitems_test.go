package imapd

import "testing"

// TestItemsThatAreNone are refused and mark nothing read (RFC 9051 9).
func TestItemsThatAreNone(t *testing.T) {
	_, addr := serve(t, sample(t))
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	for _, item := range []string{
		"()", "( )", "BODY[4294967296000]", "BODY[4294967296]", "BODY[1.4294967296]", "BODY[0]", "BODY[1.0]", "BODY[01]", "BODY[1.0.TEXT]", "BODY[MIME]", "body[mime]",
		"(UID BODY[HEADER.FIELDS ()])", "BODY[HEADER.FIELDS.NOT ( )]", "BODY[1.HEADER.FIELDS ()]", "(UID BODY.PEEK[HEADER.FIELDS (A)] BODY[0])",
		"BINARY[0]", "BINARY[1.4294967296]", "BINARY.SIZE[0]", "BODY[1.]", "BINARY[TEXT]", "BODY[.1]",
	} {
		c.want("FETCH 1 "+item, "BAD")
		c.want("UID FETCH 1 "+item, "BAD")
		c.want("NOOP", "OK")
	}
	c.says("FETCH 1 FLAGS", "* 1 FETCH (FLAGS ())")
	for _, item := range []string{
		"(UID)", "BODY.PEEK[]", "BODY.PEEK[1.MIME]", "BODY.PEEK[4294967295]", "body.peek[header.fields (a b)]", `(BODY.PEEK[HEADER.FIELDS.NOT ("a]b" c)]<0.10> UID)`,
		"BODY.PEEK[10.20.TEXT]", "BINARY.PEEK[]", "BINARY.PEEK[1]<0.5>", "FULL", "(BODY BODYSTRUCTURE)", "(MODSEQ)",
	} {
		c.want("FETCH 1 "+item, "OK")
	}
}
