package accept

import (
	"context"
	"fmt"

	"plenary/internal/model"
)

type question = func(context.Context, *Case) (bool, string, error)

// askNonsubscriber hits when the list's policy for outsiders is this action.
func askNonsubscriber(action model.Action) question {
	return func(_ context.Context, c *Case) (bool, string, error) {
		if c.Subscriber != nil || c.authorAction() != action {
			return false, "", nil
		}
		if action == model.Reject {
			return true, c.unwelcome(), nil
		}
		if c.Author.Address.IsZero() {
			return true, "The author is not a subscriber of the list.", nil
		}
		return true, fmt.Sprintf("%s is not a subscriber of the list.", c.who()), nil
	}
}

// askSubscriber hits when the policy for this subscriber is this action.
func askSubscriber(action model.Action) question {
	return func(_ context.Context, c *Case) (bool, string, error) {
		if c.Subscriber == nil || c.authorAction() != action {
			return false, "", nil
		}
		switch {
		case action == model.Reject && c.List.NonsubscriberAction == model.Reject:
			return true, c.unwelcome(), nil
		case action == model.Reject && c.Subscriber.Moderation == model.Defer:
			return true, fmt.Sprintf("Subscribers do not post to %s. To reach the people who run it, write to %s.",
				c.List.Address(), c.List.Sub("owner")), nil
		case action == model.Reject:
			return true, fmt.Sprintf("You may not post to %s at present. To ask why, write to %s.",
				c.List.Address(), c.List.Sub("owner")), nil
		case c.Subscriber.Moderation == model.Defer:
			return true, "Every post to this list is seen by a moderator first.", nil
		}
		return true, fmt.Sprintf("Posts of %s are seen by a moderator first.", c.who()), nil
	}
}

// unwelcome is the one answer to outsiders and to subscribers who may not post, so
// that a stranger cannot tell the two apart by sending in somebody's name.
func (c *Case) unwelcome() string {
	return fmt.Sprintf("%s takes posts only from subscribers who may post to it, and %s is not one of them. "+
		"To join, write to %s; to ask a person, write to %s.", c.List.Address(), c.who(), c.List.Sub("join"), c.List.Sub("owner"))
}

// askNoPost refuses what is no post at all on a list that refuses outsiders. Held
// for subscribers only, it would tell a stranger quietly who is one: a forged
// "unsubscribe" reaches nobody.
func askNoPost(ctx context.Context, c *Case) (bool, string, error) {
	if c.Authenticated || c.List.Kind != model.Discussion || c.List.NonsubscriberAction != model.Reject {
		return false, "", nil
	}
	if hit, reason, err := askAdministrivia(ctx, c); hit || err != nil {
		return hit, reason, err
	}
	return askEmpty(ctx, c)
}

func askNoAuthor(_ context.Context, c *Case) (bool, string, error) {
	return c.Author.Address.IsZero(), "The message does not say who wrote it: its From field is missing or cannot be read.", nil
}

// who names the author in a sentence.
func (c *Case) who() string {
	if c.Author.Address.IsZero() {
		return "an unknown author"
	}
	return c.Author.Address.Unicode()
}
