"""The demo: moto's server in a child process, with a plausible fleet of two accounts and four regions in it."""

from scanner.demo.server import DemoServer, DemoServerError, start_demo_server

__all__ = ["DemoServer", "DemoServerError", "start_demo_server"]
