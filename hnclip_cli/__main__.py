from hnclip_cli.cli import main

main()
