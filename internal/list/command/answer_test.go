package command_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"plenary/internal/list/command"
	"plenary/internal/list/membership"
	"plenary/internal/list/notify"
	"plenary/internal/model"
)

// ask makes Ann's request to join or leave and gives its token.
func (r *rig) ask(kind model.PendingKind) string {
	r.t.Helper()
	ctx := context.Background()
	var err error
	if kind == model.PendingJoin {
		_, err = r.members.RequestJoin(ctx, membership.JoinRequest{List: r.talk, Email: addr("ann@example.net"), Source: "mail"})
	} else {
		r.add("talk", "ann@example.net", model.RoleSubscriber)
		_, err = r.members.RequestLeave(ctx, membership.LeaveRequest{List: r.talk, Email: addr("ann@example.net"), Source: "mail"})
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return r.letters[len(r.letters)-1].Token
}

func TestAnswersOfSubscribers(t *testing.T) {
	const yes, no = "yes", "no"
	for _, c := range []struct{ name, body, join, leave string }{
		{"empty", "", yes, yes},
		{"only a quotation", "> Someone, most likely you, asked\n> NO ends it at once\n", yes, yes},
		{"signature", "-- \nAnn\n", yes, yes},
		{"ok", "ok\n", yes, yes},
		{"German", "Ja bitte!\n", yes, yes},
		{"chatter", "Hello, here I am.\n", yes, yes},
		{"no", "NO\n", no, no},
		{"no thanks", "No, thank you.\n\n> ...\n", no, no},
		{"French no", "Non merci\n", no, no},
		{"cancel", "cancel", no, no},
		{"off", "Unsubscribe me!\n", no, yes},
		{"not me", "I didn’t ask for this.\n", no, no},
		{"spam", "SPAM\n", no, yes},
		{"Outlook", "\n\n-----Original Message-----\nFrom: talk\nNO\n", yes, yes},
	} {
		for kind, want := range map[model.PendingKind]string{model.PendingJoin: c.join, model.PendingLeave: c.leave} {
			t.Run(fmt.Sprint(c.name, kind), func(t *testing.T) {
				r := newRig(t)
				tok := r.ask(kind)
				out, text := r.mail(command.Mail{Entry: command.AtConfirm, List: r.talk, Token: tok}, "Subject: Re: Please confirm\r\n", c.body)
				expect := map[string]string{yes: map[model.PendingKind]string{model.PendingJoin: "welcome" + toAnn, model.PendingLeave: "goodbye" + toAnn}[kind], no: said}[want]
				if out != expect || want == no && !strings.Contains(text, "nothing is changed") {
					t.Errorf("went out: %s, want %s\n%s", out, expect, text)
				}
			})
		}
	}
}

// TestAnAbsenceNoticeIsNoYes: one that no field marks confirmed that an address wants to
// join. It gets no answer, and the question stays open.
func TestAnAbsenceNoticeIsNoYes(t *testing.T) {
	for body, notice := range map[string]bool{
		"I am away until Monday.\n": true, "Hello,\n\nthank you for your mail. I’m away, and\nwill be back on 4 May.\n": true,
		"I am out of the\noffice this week.\n": true, "Vielen Dank. Ich bin bis Montag abwesend.\n": true, "Ich bin derzeit nicht im Büro.\n": true,
		"Bonjour, je suis en congés jusqu'au 3 mai.\n": true, "Estoy fuera de la oficina.\n": true, "本日は休暇中です。\n": true,
		"Da ich im Urlaub bin, lese ich erst am Montag.\n": true, "Tak for din mail. Jeg er på ferie.\n": true, "Si c'est urgent: je suis en vacances.\n": true,
		"I confirm receipt of your mail. I am on leave.\n": true, "I am on vacation, do not add me.\n": true,
		"Yes, please add me, I am on vacation next week but want to join.\n": false, "OK. I will be away next week.\n": false, "Ja gerne, bin aber noch im Urlaub.\n": false,
		"Hello, I confirm.\nAnn\nLibrary, on leave Thursdays\n": false, "Oui, je suis en vacances mais inscrivez-moi\n": false, "Bonjour, je suis en vacances mais inscrivez-moi.\n": false,
		"Sí, confirmo. Estoy de vacaciones.\n": false, "Si, confirmo. Estoy de vacaciones.\n": false, "我不在意，同意加入\n": false, "はい、休暇中ですが\n": false,
		"Hello, I want to join.\n": false, "ok\n\nI am away until Monday.\n": false,
		"Please add me, the vacation policies interest me.\n": false, "Yes please\n": false, "> I am away until Monday.\n": false, "": false,
	} {
		r := newRig(t)
		tok := r.ask(model.PendingJoin)
		m := command.Mail{Entry: command.AtConfirm, List: r.talk, Token: tok}
		out, text := r.mail(m, "Subject: Re: Please confirm\r\n", body)
		if notice && out != "" || !notice && out != "welcome"+toAnn {
			t.Errorf("%q: %s\n%s", body, out, text)
		}
		if notice {
			if out, _ = r.mail(m, "", "yes\n"); out != "welcome"+toAnn {
				t.Errorf("%q, then yes: %s", body, out)
			}
		}
	}
}

// TestWaysOfAnswering: the token is found wherever mail programs leave it.
func TestWaysOfAnswering(t *testing.T) {
	for _, c := range []struct {
		name         string
		entry        command.Entry
		header, body string
	}{
		{"confirm address", command.AtConfirm, "", ""},
		{"subject at the request address", command.AtRequest, "Subject: Re: Please confirm: join The talk list (TOKEN)\r\n", ""},
		{"capitals", command.AtRequest, "Subject: RE: PLEASE CONFIRM (CAPITALS)\r\n", ""},
		{"LISTSERV", command.AtServer, "Subject: Re: Command confirmation request (TOKEN)\r\n", "ok\n"},
		{"Mailman", command.AtRequest, "Subject: Re: confirm TOKEN\r\n", ""},
		{"Message-ID", command.AtRequest, "Subject: Re: hello\r\nIn-Reply-To: <confirm.TOKEN.12345678@lists.example.org>\r\n", "Ja\n"},
		{"command in the body", command.AtServer, "Subject: hello\r\n", "confirm TOKEN\n"},
		{"OK in the body", command.AtServer, "", "OK TOKEN\n-- \nAnn\n"},
		{"Sympa", command.AtServer, "", "auth TOKEN subscribe talk\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			tok := r.ask(model.PendingJoin)
			m := command.Mail{Entry: c.entry}
			if c.entry != command.AtServer {
				m.List = r.talk
			}
			if c.entry == command.AtConfirm {
				m.Token = tok
			}
			fill := strings.NewReplacer("TOKEN", tok, "CAPITALS", strings.ToUpper(tok))
			if out, text := r.mail(m, fill.Replace(c.header), fill.Replace(c.body)); out != "welcome"+toAnn {
				t.Errorf("went out: %s\n%s", out, text)
			}
			// Again: told apart from a wrong code.
			if out, text := r.mail(m, fill.Replace(c.header), fill.Replace(c.body)); out != said || !strings.Contains(text, "answered already") {
				t.Errorf("went out: %s\n%s", out, text)
			}
		})
	}
}

// hold keeps a post and gives its moderators' token.
func (r *rig) hold() (int64, string) {
	r.t.Helper()
	tok, hash := r.keys.Random(notify.ScopeHeld)
	h := &model.Held{ListID: r.talk.ID, MessageKey: fmt.Sprintf("m%x", hash[:4]), ReversePath: "zoe@example.com", Author: "zoe@example.com",
		AuthorKey: "zoe@example.com", Subject: "Posters", TokenHash: hash, ExpiresAt: model.At(now.AddDate(0, 0, 7))}
	if _, err := r.store.SaveHeld(context.Background(), h, []byte("From: zoe@example.com\r\nSubject: Posters\r\n\r\nHello\r\n"), nil); err != nil {
		r.t.Fatal(err)
	}
	return h.ID, tok
}

func TestAnswersOfModerators(t *testing.T) {
	for _, c := range []struct {
		name, body string
		state      model.HeldState
		comment    string
	}{
		{"ok", "OK\n", model.HeldReleased, ""},
		{"ok with thanks", "ok, thanks!\n\n> NO reason\n", model.HeldReleased, ""},
		{"approve it", "Approve this post please.\n", model.HeldReleased, ""},
		{"Sympa", "DISTRIBUTE\n", model.HeldReleased, ""},
		{"below the quotation", "> A message waits\n\nOK\n", model.HeldReleased, ""},
		{"empty", "", model.HeldPending, ""},
		{"only quoted", "> OK           it goes out to the list\n", model.HeldPending, ""},
		{"chatter", "What do you think, Olga?\n", model.HeldPending, ""},
		{"ok but", "OK but first ask her to shrink the picture\n", model.HeldPending, ""},
		{"yes, spam", "Yes, this is spam\n", model.HeldPending, ""},
		{"no problem", "No problem, let it through\n", model.HeldPending, ""},
		{"no objection", "No objections from me\n", model.HeldPending, ""},
		{"ok later", "I think it is ok\n", model.HeldPending, ""},
		{"not sure", "Not sure\n", model.HeldPending, ""},
		{"no", "NO\n", model.HeldRejected, ""},
		{"no with a reason", "NO please send a link instead\nof the file.\n\nRegards\n\n-- \nMo\n", model.HeldRejected, "please send a link instead\nof the file.\n\nRegards"},
		{"reject with colon", "Reject: off topic\n> quoted\n", model.HeldRejected, "off topic"},
		{"ezmlm", "no\n%%%\nThis belongs on\nthe other list.\n%%%\n", model.HeldRejected, "This belongs on\nthe other list."},
		{"phone", "No, too long\n\nSent from my phone\n", model.HeldRejected, "too long"},
		{"Outlook", "No off topic\n\nFrom: The talk list <talk-owner@lists.example.org>\nSent: Monday\n", model.HeldRejected, "off topic"},
		{"discard", "DISCARD\n", model.HeldDiscarded, ""},
		{"spam", "spam!\n", model.HeldDiscarded, ""},
		{"long discard", "Delete the second picture and then let it go\n", model.HeldPending, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.add("talk", "mo@example.net", model.RoleModerator)
			id, tok := r.hold()
			mail := command.Mail{Entry: command.AtConfirm, List: r.talk, Token: tok, From: addr("mo@example.net")}
			out, text := r.mail(mail, "Subject: Re: To decide\r\n", c.body)
			h, err := r.store.GetHeld(context.Background(), id)
			if err != nil || h.State != c.state || h.State == model.HeldRejected && h.Comment != c.comment {
				t.Errorf("state %v comment %q, %v; %s\n%s", h.State, h.Comment, err, out, text)
			}
			if c.state == model.HeldPending && (out != "command-reply>mo@example.net" || !strings.Contains(text, "Nothing was done")) {
				t.Errorf("%s\n%s", out, text)
			}
			if c.state != model.HeldPending {
				if h.DecidedBy != "mo@example.net" {
					t.Error(h.DecidedBy)
				}
				if _, text := r.mail(mail, "", "DISCARD\n"); !strings.Contains(text, "already, by mo@example.net") {
					t.Error(text)
				}
			}
		})
	}
}

// TestModeratorsToken: From alone decides nothing, and tokens do not mix.
func TestModeratorsToken(t *testing.T) {
	r := newRig(t)
	r.add("talk", "mo@example.net", model.RoleModerator)
	id, tok := r.hold()
	for _, body := range []string{"ok\n", "approve talk 1\n", "ok " + r.ask(model.PendingJoin) + "\n", "accept\n"} {
		r.mail(command.Mail{Entry: command.AtRequest, List: r.talk, From: addr("mo@example.net"), Authenticated: true}, "Subject: Re: To decide\r\n", body)
		if h, err := r.store.GetHeld(context.Background(), id); err != nil || h.State != model.HeldPending {
			t.Fatal(body, h.State, err)
		}
	}
	if out, text := r.mail(command.Mail{Entry: command.AtServer, From: addr("mo@example.net")}, "", "REJECT talk "+tok+" too long\n"); !strings.Contains(out, "rejected>zoe@example.com") {
		t.Error(out, text)
	}
}

func TestModeratorsDecideJoins(t *testing.T) {
	for _, c := range []struct {
		body   string
		member bool
		letter notify.Kind
	}{{"OK\n", true, notify.Welcome}, {"No, only librarians\n", false, notify.JoinRefused}, {"hm\n", false, notify.CommandReply}} {
		r := newRig(t)
		r.talk.JoinPolicy = model.JoinConfirmModerate
		if err := r.store.SaveList(context.Background(), r.talk); err != nil {
			t.Fatal(err)
		}
		r.add("talk", "mo@example.net", model.RoleModerator)
		tok := r.ask(model.PendingJoin)
		if out, _ := r.mail(command.Mail{Entry: command.AtConfirm, List: r.talk, Token: tok}, "", ""); out != "join-approve>mo@example.net join-waiting"+toAnn {
			t.Fatal(out)
		}
		tok = r.letters[0].Token
		out, text := r.mail(command.Mail{Entry: command.AtConfirm, List: r.talk, Token: tok, From: addr("mo@example.net")}, "", c.body)
		sub, err := r.store.FindSubscriber(context.Background(), r.talk.ID, "ann@example.net")
		if err != nil || (sub != nil) != c.member || !strings.HasPrefix(out, string(c.letter)) {
			t.Errorf("%q: %s %v\n%s", c.body, out, sub, text)
		}
	}
}
