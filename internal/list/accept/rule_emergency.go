package accept

import "context"

func askEmergency(_ context.Context, c *Case) (bool, string, error) {
	return c.List.Emergency, "The owners have set the list so that every post waits.", nil
}
