package app

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"plenary/internal/list/archive"
	"plenary/internal/list/posting"
	"plenary/internal/list/settings"
	"plenary/internal/model"
	"plenary/internal/store"
)

// stamp writes a moment for people, in UTC.
func stamp(at model.Instant) string { return at.Time().Format("2006-01-02 15:04:05") }

var deliveryKinds = map[model.DeliveryState]string{ //nolint:gochecknoglobals // a constant table
	model.DeliverySent: "delivery.sent", model.DeliveryRetry: "delivery.retry", model.DeliveryFailed: "delivery.failed", model.DeliverySkipped: "delivery.skipped",
}

const bounceText = "mail came back to its return address after the copy had been taken: a bounce, a notice of delay or an absence"

// deliveryText says the fate of a copy, with the answer of the mail server it
// was handed to.
func deliveryText(d *model.Delivery) string {
	answer := d.Reply
	if d.Code != 0 {
		answer = strings.TrimSpace(fmt.Sprint(d.Code, " ", d.Reply))
	}
	switch {
	case d.Code != 0:
		answer = "; the answer was: " + answer
	case answer != "": // nobody's answer, but what happened
		answer = ": " + answer
	}
	try := ""
	if d.Attempts > 1 {
		try = fmt.Sprintf(" at attempt %d", d.Attempts)
	}
	switch d.State {
	case model.DeliverySent:
		return "delivered" + try + answer
	case model.DeliveryRetry:
		switch next := stamp(d.NextAt); {
		case d.NextAt >= model.Never:
			return "waits for plenary queue resume" + answer
		case d.Attempts == 0:
			return "not tried yet, next look " + next + answer
		default:
			return fmt.Sprintf("deferred after %s, next try %s%s", Counted(int64(d.Attempts), "attempt", "attempts"), next, answer)
		}
	case model.DeliveryFailed:
		return "refused for good" + try + answer
	}
	return "not sent: " + d.Reply
}

// Counted writes a number with its noun.
func Counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

// deliveryStatusText says whether posts are sent to a subscriber.
func deliveryStatusText(s *model.Subscriber) string {
	switch {
	case s.DeliveryStatus == model.DeliveryOffBySubscriber:
		return "delivery is off, by her own choice"
	case s.DeliveryStatus == model.DeliveryOffByBounces:
		return "delivery is off because her address bounced"
	case s.DeliveryStatus == model.DeliveryOffByModerator:
		return "delivery is off, set by those who run the list"
	case s.Mode != model.ModeEach:
		return "delivery is on, as digests"
	case s.Options&model.OptNoCopyOfOwn != 0:
		return "delivery is on, without copies of her own posts"
	}
	return "delivery is on"
}

// distributionText says how far a distribution is, in numbers.
func distributionText(q *store.QueueEntry, why []store.SkipReason) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: sent %d, to be tried again %d, failed %d, skipped %d", Counted(q.Audience, "recipient", "recipients"), q.Sent, q.Retry, q.Failed, q.Skipped)
	var skipped []string
	for _, w := range why {
		skipped = append(skipped, fmt.Sprint(w.N, ": ", w.Why))
	}
	if len(skipped) > 0 {
		b.WriteString(" (" + strings.Join(skipped, ", ") + ")")
	}
	if open := q.Audience - q.Sent - q.Retry - q.Failed - q.Skipped; open > 0 && q.DoneAt == 0 {
		fmt.Fprintf(&b, ", not tried yet %d", open)
	}
	switch {
	case q.State == model.DistributionPaused:
		b.WriteString("; it is paused")
	case q.State == model.DistributionCancelled:
		b.WriteString("; it was cancelled")
	case q.DoneAt != 0:
		b.WriteString("; finished " + stamp(q.DoneAt))
	}
	return b.String()
}

// eventDetail is what the details of events about posts hold, when they are JSON.
type eventDetail struct {
	ReversePath string         `json:"reversePath"`
	Peer        string         `json:"peer"`
	Reasons     []model.Reason `json:"reasons"`
	Held        int64          `json:"held"`
	Comment     string         `json:"comment"`
}

// eventWords says what events mean. A kind that is not here is told by its name and its detail.
var eventWords = map[string]string{ //nolint:gochecknoglobals // a constant table
	posting.EventAccepted:    "was accepted",
	posting.EventHeld:        "was held",
	posting.EventRejected:    "was refused",
	posting.EventDropped:     "was dropped",
	posting.EventReleased:    "was released",
	"post.expired":           "was held until its time was over, and is gone",
	"mail.forwarded":         "was passed on to the people behind",
	"member.joined":          "joined:",
	"member.added":           "was added as",
	"member.changed":         "options were changed:",
	"member.removed":         "was taken off the list",
	"member.left":            "left:",
	"member.declined":        "declined to be added",
	"member.join-requested":  "asked to join, and was sent a confirmation:",
	"member.leave-requested": "asked to leave, and was sent a confirmation:",
	"member.join-waiting":    "confirmed the wish to join; the moderators were asked",
	"member.join-refused":    "was not let in:",
	"member.banned":          "was banned",
	archive.EventSplit:       "was made",
	archive.EventMoved:       "was put",
	archive.EventMerged:      "was put",
	archive.EventReset:       "was put back",
	"member.unbanned":        "is no longer banned",
	settings.EventCreated:    "the list was made with",
	settings.EventChanged:    "settings were changed:",
	settings.EventRemoved:    "the list was removed",
}

// eventText says an event in words.
func eventText(e *model.Event) string {
	if e.Kind == posting.EventAsked {
		return "the moderators were asked about held post " + e.Detail + "; plenary held show " + e.Detail
	}
	if e.Kind == posting.EventUnasked {
		return "held post " + e.Detail + " waits, and the list has nobody to ask; plenary held show " + e.Detail
	}
	words, known := eventWords[e.Kind]
	if !known {
		words = strings.NewReplacer(".", " ", "-", " ").Replace(e.Kind)
	}
	var d eventDetail
	if !strings.HasPrefix(e.Detail, "{") || json.Unmarshal([]byte(e.Detail), &d) != nil {
		d = eventDetail{Comment: e.Detail}
	}
	parts := []string{words}
	if rules := ruleNames(d.Reasons); rules != "" {
		parts = append(parts, rules)
	} else if e.Actor != "" && e.Actor != "rule" && e.Actor != "confirmed" && !(e.Actor == e.EmailKey && strings.HasPrefix(e.Kind, "member.")) {
		parts = append(parts, "by "+model.Who(e.Actor))
	}
	text := strings.Join(parts, " ")
	if !strings.HasPrefix(e.Kind, "post.") {
		if d.Comment != "" {
			text = strings.Replace(text, words, strings.TrimSuffix(words+" "+d.Comment, " "), 1)
		}
		return strings.TrimSuffix(text, ":")
	}
	var said []string
	for _, r := range d.Reasons {
		said = append(said, r.Text)
	}
	if d.Comment != "" {
		said = append(said, d.Comment)
	}
	if len(said) > 0 {
		text += ": " + strings.Join(said, " ")
	}
	if d.Held != 0 {
		text += " (held post " + strconv.FormatInt(d.Held, 10) + ")"
	}
	if d.Peer != "" {
		text += " (came from " + d.Peer + ", reverse-path <" + d.ReversePath + ">)"
	}
	return text
}

func ruleNames(reasons []model.Reason) string {
	var names []string
	for _, r := range reasons {
		names = append(names, r.Rule)
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return "by the rule " + names[0]
	}
	return "by the rules " + strings.Join(names, ", ")
}
