"""The staging room: what has to travel, archives out and archives in. Knows neither jobs nor gateways."""
