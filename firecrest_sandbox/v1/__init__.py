"""FirecREST v1, in rooms named after its services: status, utilities, compute, storage, tasks."""
