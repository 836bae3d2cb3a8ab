"""What provisioning will do on a machine, resolved once."""
