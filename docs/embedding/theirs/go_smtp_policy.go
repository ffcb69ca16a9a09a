package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/emersion/go-smtp"
)

type inbox struct{}

func (inbox) NewSession(*smtp.Conn) (smtp.Session, error) { return inbox{}, nil }

func (inbox) Mail(from string, opts *smtp.MailOptions) error { return nil }

func (inbox) Rcpt(to string, opts *smtp.RcptOptions) error {
	local, domain, _ := strings.Cut(strings.ToLower(to), "@")
	switch {
	case domain != "example.test":
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Relaying denied"}
	case local != "ann" && local != "bob" && local != "postmaster":
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user here"}
	}
	return nil
}

func (inbox) Data(r io.Reader) error {
	message, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	fmt.Println(len(message), "octets")
	return nil
}

func (inbox) Reset()        {}
func (inbox) Logout() error { return nil }

func main() {
	server := smtp.NewServer(inbox{})
	server.Addr, server.Domain = "127.0.0.1:"+os.Args[1], "mx.example.test"
	log.Fatal(server.ListenAndServe())
}
