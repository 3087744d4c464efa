package gen

import "fmt"

// client is the habit of one mail program.
type client struct {
	name      string
	agent     string // its own header field, "" for none
	wrap      int    // columns; 0 leaves long lines
	flowed    bool   // RFC 3676 format=flowed
	smart     bool   // turns quotes and dashes into typographic ones
	html      string // "web" or "office": adds an HTML form; "" plain only
	encoding  string // for text outside ASCII
	always    bool   // uses encoding for ASCII too
	sigMark   string // the line before a signature
	ids       string // style of its Message-IDs
	toName    bool   // writes the list's name in To
	oldParent bool   // sends In-Reply-To only, no References
	order     string // order of the header fields
}

const (
	orderDesk    = "Message-ID Date MIME-Version User-Agent Subject Content-Language To References From Cc In-Reply-To Content-Type Content-Transfer-Encoding"
	orderOffice  = "From To Cc References In-Reply-To Subject Date Message-ID MIME-Version Content-Type Content-Transfer-Encoding X-Mailer Content-Language"
	orderWeb     = "MIME-Version References In-Reply-To From Date Message-ID Subject To Cc Content-Type Content-Transfer-Encoding"
	orderConsole = "Date From To Cc Subject Message-ID References MIME-Version Content-Type Content-Disposition Content-Transfer-Encoding In-Reply-To User-Agent"
	orderPocket  = "Content-Type Content-Transfer-Encoding From MIME-Version Date Subject Message-ID References In-Reply-To To Cc X-Mailer"
	orderOld     = "Message-ID Date From Organization X-Mailer MIME-Version To Cc Subject References In-Reply-To Content-Type Content-Transfer-Encoding"
)

// findClient gives the habits of a client by name. The names are made up.
func findClient(name string) (client, error) {
	c := client{name: name, encoding: "8bit", sigMark: "-- ", ids: name}
	switch name {
	case "desk": // wraps nothing, sends flowed paragraphs
		c.agent, c.wrap, c.flowed, c.order = "User-Agent: Deskmail 128.4.2", 72, true, orderDesk
	case "office": // answers on top, long lines, HTML
		c.agent, c.smart, c.html, c.order = "X-Mailer: Office Post 16.0", true, "office", orderOffice
		c.encoding, c.always, c.sigMark, c.toName = "quoted-printable", true, "", true
	case "web": // plain and HTML, wrapped
		c.wrap, c.html, c.encoding, c.toName, c.order = 76, "web", "quoted-printable", true, orderWeb
	case "console": // plain text, 8bit, hard lines
		c.agent, c.wrap, c.order = "User-Agent: console-mail/2.2.9 (2024-12-05)", 72, orderConsole
	case "pocket": // a telephone
		c.agent, c.encoding, c.sigMark, c.order = "X-Mailer: Pocket Mail (21F90)", "base64", "", orderPocket
	case "old": // twenty years in use
		c.agent, c.wrap, c.encoding, c.order = "X-Mailer: Postbox Classic 3.0.1", 68, "quoted-printable", orderOld
		c.oldParent = true
	default:
		return c, fmt.Errorf("no client %q", name)
	}
	return c, nil
}
