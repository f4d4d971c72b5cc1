from karrots.app import main

main()
