package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/messages/wire"
)

const checkout = `
dashboard: checkout
panels:
  - id: countries
    window: {tumbling: 10s}
    group_by: [labels.country]
    aggregates: [count, avg]
`

// Publish events, read the dashboard once they are folded, and watch it change.
func Example() {
	url, stop := startServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := client.New(client.Options{Server: url})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Define(ctx, "checkout", []byte(checkout)); err != nil {
		log.Fatal(err)
	}

	watching := c.Subscribe(client.SubscribeOptions{Dashboard: "checkout"})
	defer watching.Close()
	if _, err := watching.Next(ctx); err != nil { // the snapshot, still empty
		log.Fatal(err)
	}

	p := c.Publisher(client.PublisherOptions{Dashboard: "checkout"})
	at := time.UnixMilli(1_795_422_000_000)
	for i, country := range []string{"DE", "FR", "DE"} {
		e := client.Event{Metric: "latency", Value: float64(10 * (i + 1)), Time: at, Labels: map[string]string{"country": country}}
		if err := p.Publish(ctx, e); err != nil {
			log.Fatal(err)
		}
	}
	if err := p.Close(ctx); err != nil { // the log has stored all three
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", p.Stats())

	for watching.Place().Version < 4 { // the definition and three events
		if _, err := watching.Next(ctx); err != nil {
			log.Fatal(err)
		}
	}
	for _, cell := range watching.View().Cells() {
		fmt.Printf("%s %s\n", wire.AppendGroup(nil, cell.Group), wire.AppendRow(nil, cell.Row))
	}
	// Output:
	// {Accepted:3 Refused:0 Retries:0}
	// ["DE"] [2,20]
	// ["FR"] [1,20]
}

// A definition with mistakes is refused with a list of all of them.
func ExampleClient_Define() {
	url, stop := startServer()
	defer stop()
	c, err := client.New(client.Options{Server: url})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	_, err = c.Define(context.Background(), "checkout", []byte("panels:\n  - id: a\n    windw: latest\n"))
	var refused *client.Error
	if errors.As(err, &refused) {
		p := refused.Problems[0]
		fmt.Println(refused.Code, refused.Retry, p.Line, p.Column, p.Path, p.Message, p.Nearest)
	}
	// Output: 1108 false 3 5 panels[0].windw unknown key window
}

// Dashboards are listed by name, one page at a time.
func ExampleClient_List() {
	url, stop := startServer()
	defer stop()
	ctx := context.Background()
	c, err := client.New(client.Options{Server: url})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for _, name := range []string{"sales", "checkout", "stock"} {
		if _, err := c.Define(ctx, name, []byte("panels: [{id: a, window: latest}]")); err != nil {
			log.Fatal(err)
		}
	}
	for cursor := ""; ; {
		page, next, err := c.List(ctx, "s", cursor, 1)
		if err != nil {
			log.Fatal(err)
		}
		for _, d := range page {
			fmt.Println(d.Dashboard, d.Panels)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	// Output:
	// sales 1
	// stock 1
}
