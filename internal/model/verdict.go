package model

// Action is what happens to a post.
type Action uint8

// The actions. The zero value Defer has no effect: the next rule is asked.
const (
	Defer   Action = iota // no opinion
	Accept                // distribute
	Hold                  // wait for a human
	Reject                // refuse with a reply
	Discard               // drop silently, logged
)

var actionNames = [...]string{"defer", "accept", "hold", "reject", "discard"}

// String is the action's keyword.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return "unknown"
}

// ParseAction finds an action by its keyword.
func ParseAction(s string) (Action, bool) {
	for i, n := range actionNames {
		if n == s {
			return Action(i), true
		}
	}
	return Defer, false
}

// Reason is one rule's answer, in words a person understands.
type Reason struct {
	Rule string `json:"rule"`
	Text string `json:"text"`
}

// Answer is one line of the trace: a rule that was asked and what it said.
type Answer struct {
	Rule   string `json:"rule"`
	Hit    bool   `json:"hit"`
	Action Action `json:"action"` // what the hit means
	Text   string `json:"text,omitempty"`
}

// Verdict is the judgement on one post for one list, with its trace.
type Verdict struct {
	Action  Action
	Reasons []Reason // why; several only for Hold
	Trace   []Answer // every rule that was asked, in order
}
