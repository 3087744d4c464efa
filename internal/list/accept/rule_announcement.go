package accept

import (
	"context"
	"fmt"

	"plenary/internal/model"
)

func askAnnouncement(_ context.Context, c *Case) (bool, string, error) {
	return c.List.Kind != model.Discussion && !c.staff(), fmt.Sprintf(
		"Only its editors post to %s. To reach the people who run it, write to %s.",
		c.List.Address(), c.List.Sub("owner")), nil
}

// askUnprovedEditor holds what claims to be an editor's: a forged announcement
// would reach everybody with the weight of the list's name.
func askUnprovedEditor(_ context.Context, c *Case) (bool, string, error) {
	return c.List.Kind != model.Discussion && c.staff() && !c.Authenticated,
		"An announcement must be confirmed: it says that an editor wrote it, but anyone could have written that.", nil
}
